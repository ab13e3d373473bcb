"""`recollect timeline`, as people and scripts call it."""

from __future__ import annotations

import json


def test_states_and_events_come_in_the_order_of_time(cli):
    cli("add", "I work at Acme.", "--at", "2023-06-22")
    cli("add", "I work at Globex now.", "--at", "2023-08-22")
    cli("add", "I ran a marathon in Oslo on 14 May 2023.", "--at", "2023-05-20")
    shown = cli("timeline", "--entity", "the user").stdout
    assert shown.index("marathon") < shown.index("Acme") < shown.index("Globex"), shown
    assert "14 May 2023" in shown and "22 Jun 2023 – 22 Aug 2023" in shown and "1 different event, 2 states" in shown, (
        shown
    )
    jobs = json.loads(cli("timeline", "--slot", "employer", "--json").stdout)
    assert [one["value"] for one in jobs["entries"]] == ["Acme", "Globex"] and jobs["count"] == 0
    then = json.loads(cli("timeline", "--slot", "employer", "--as-of", "2023-07-01", "--json").stdout)
    assert [one["value"] for one in then["entries"]] == ["Acme"] and then["entries"][0]["end"] is None


def test_what_is_not_named_or_not_known_is_said(cli):
    assert "--entity" in cli("timeline", code=2).stderr
    cli("add", "My favorite color is blue.")
    assert "Nothing is known of it." in cli("timeline", "--entity", "Anna").stdout
    assert json.loads(cli("timeline", "--entity", "Anna", "--json").stdout)["entries"] == []
    assert (
        json.loads(cli("timeline", "--slot", "x", "--as-of", "soon", "--json", code=2).stderr)["error"]
        == "InvalidInput"
    )
