"""A reranker orders the best hits, and nothing else; what it does wrong is named, and never silent."""

from __future__ import annotations

import asyncio
import json
import random

import numpy as np
import pytest

from recollect import AsyncMemory, Memory
from recollect.adapters.cross_encoder import CrossEncoder
from recollect.adapters.litellm_reranker import LitellmReranker
from recollect.errors import (
    InvalidInput,
    MissingExtra,
    RerankerConfigError,
    RerankerInvalid,
    RerankerUnavailable,
)
from recollect.retrieval.reranking import CANDIDATES
from recollect.testing import HashEmbedder, ModelEndpoint, Reply
from recollect.trace import Reranked

WORDS = [
    first + second for first in ("bar", "cor", "dil", "fen", "gom", "hul") for second in ("ka", "me", "ni", "to", "vu")
]
CHOOSING = random.Random(7)
TEXTS = [
    f"Boat number {i} is {colour}: {' '.join(CHOOSING.sample(WORDS, 6))}."
    for i, colour in enumerate(["red", "blue"] * 25)
]


class Backwards:
    """The last is the best."""

    id = "backwards"

    def __init__(self):
        self.asked = []

    def rerank(self, query, texts):
        self.asked.append((query, list(texts)))
        return list(range(len(texts)))


class Answering:
    id = "answering"

    def __init__(self, answer):
        self.answer = answer

    def rerank(self, query, texts):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture(scope="module")
def harbour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harbour")
    with Memory(folder, llm="rules", embedder=HashEmbedder()) as memory:
        memory.add([{"role": "user", "content": text} for text in TEXTS], user_id="u", infer=False)
    return folder


def searched(folder, reranker=None, limit=10, min_score=0, **more):
    events = []
    with Memory(folder, llm="rules", embedder=HashEmbedder(), reranker=reranker, on_event=events.append) as memory:
        hits = memory.search("a red boat", user_id="u", limit=limit, min_score=min_score, **more)
    return hits, [event for event in events if isinstance(event, Reranked)]


def test_the_best_thirty_are_put_in_its_order(harbour):
    plain, _ = searched(harbour, limit=50, min_score=0)
    reranker = Backwards()
    hits, (event,) = searched(harbour, reranker, limit=50, min_score=0)
    ((query, texts),) = reranker.asked
    assert query == "a red boat" and texts == [hit.text for hit in plain[:CANDIDATES]]
    assert [hit.text for hit in hits] == [*texts[::-1], *(hit.text for hit in plain[CANDIDATES:])]
    assert {hit.id: hit.score for hit in hits} == {hit.id: hit.score for hit in plain}
    assert (event.reranker, event.candidates, event.error) == ("backwards", 30, None) and event.seconds >= 0


def test_fewer_hits_are_chosen_from_thirty(harbour):
    plain, _ = searched(harbour, limit=50, min_score=0)
    hits, _ = searched(harbour, Backwards(), limit=3, min_score=0, explain=True)
    assert [hit.id for hit in hits] == [hit.id for hit in plain[:CANDIDATES][:-4:-1]]
    assert [[c.rank for c in hit.channels if c.name == "rerank"] for hit in hits] == [[1], [2], [3]]
    assert all(0 <= channel.score <= 1 for hit in hits for channel in hit.channels)


def test_what_is_below_the_floor_is_not_shown_to_it(harbour):
    reranker = Backwards()
    with Memory(harbour, llm="rules", embedder=HashEmbedder(), reranker=reranker) as memory:
        assert memory.search("quantum chromodynamics lecture", user_id="u") == []
        assert memory.search("anything", user_id="nobody") == []
    assert reranker.asked == []


def test_near_duplicates_stay_behind_whatever_it_says(tmp_path):
    class Painted:
        id = "painted"

        def rerank(self, query, texts):
            return ["painted" in text for text in texts]

    same = [f"I have painted the boat red{end}" for end in ("", "!", ".", "!!", "…", "?!")]
    with Memory(tmp_path, llm="rules", embedder=HashEmbedder(), reranker=Painted()) as memory:
        messages = [{"role": "user", "content": text} for text in [*same, "The boat is red and has a leak"]]
        memory.add(messages, user_id="u", infer=False)
        hits = memory.search("the red boat painted", user_id="u", limit=3, min_score=0)
    assert "The boat is red and has a leak" in [hit.text for hit in hits][:2]


def test_a_coroutine_function_is_awaited(harbour):
    class Slow(Backwards):
        async def rerank(self, query, texts):
            await asyncio.sleep(0)
            return list(range(len(texts)))

    expected, _ = searched(harbour, Backwards())
    assert [hit.id for hit in searched(harbour, Slow())[0]] == [hit.id for hit in expected]


@pytest.mark.parametrize("error", [RuntimeError("secret words"), RerankerUnavailable("away"), SystemExit(1)])
def test_one_that_is_down_leaves_the_order_as_it_is_and_that_is_told(harbour, error, caplog):
    plain, _ = searched(harbour)
    hits, (event,) = searched(harbour, Answering(error))
    assert [hit.id for hit in hits] == [hit.id for hit in plain]
    assert event.error == "RerankerUnavailable"
    assert "reranker failed: RerankerUnavailable" in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize("answer", [[1.0], [float("nan")] * 30, "abc", None, [[1.0]] * 30])
def test_a_wrong_answer_is_an_error(harbour, answer):
    with pytest.raises(RerankerInvalid) as found:
        searched(harbour, Answering(answer), limit=50, min_score=0)
    assert found.value.stage == "search" and not found.value.retryable


def test_what_is_no_reranker_is_refused(tmp_path):
    for bad in (3, object(), "minilm"):
        with pytest.raises(InvalidInput):
            Memory(tmp_path, embedder=HashEmbedder(), reranker=bad)
    with pytest.raises(InvalidInput):
        Memory(tmp_path, embedder=HashEmbedder(), reranker=Backwards(), reranker_api_key="none")
    with pytest.raises(RerankerConfigError):
        Memory(tmp_path, embedder=HashEmbedder(), reranker="cohere/any", reranker_api_base="http://127.0.0.1:9")


def test_many_searches_at_once_wait_for_nobody(harbour):
    async def search():
        async with AsyncMemory(harbour, llm="rules", embedder=HashEmbedder(), reranker=Backwards()) as memory:
            return await asyncio.gather(*(memory.search("red boat", user_id="u", min_score=0) for _ in range(40)))

    found = asyncio.run(search())
    assert len({tuple(hit.id for hit in hits) for hits in found}) == 1


# --- hosted ------------------------------------------------------------------------------------------------------------


class TestHosted:
    def reranker(self, endpoint, **more):
        return LitellmReranker("hosted_vllm/any", api_base=endpoint.url, api_key="none", sleep=lambda _: None, **more)

    def test_it_is_asked_over_http(self, harbour):
        with ModelEndpoint() as endpoint:
            api = {"reranker_api_base": endpoint.url, "reranker_api_key": "none"}
            with Memory(harbour, llm="rules", embedder=HashEmbedder(), reranker="hosted_vllm/any", **api) as memory:
                hits = memory.search("boat number 24", user_id="u", limit=3, min_score=0)
        (request,) = endpoint.requests
        assert request.path.endswith("/rerank") and len(request.body["documents"]) == CANDIDATES
        assert "number 24" in hits[0].text and request.headers["authorization"] == "Bearer none"

    def test_it_is_tried_three_times(self):
        right = {"id": "1", "results": [{"index": 0, "relevance_score": 0.5}]}
        with ModelEndpoint(reranking=[Reply(status=503), Reply(status=429), right]) as endpoint:
            assert self.reranker(endpoint).rerank("a", ["b"]) == [0.5]
        with ModelEndpoint(reranking=lambda _: Reply(status=503)) as endpoint:
            with pytest.raises(RerankerUnavailable):
                self.reranker(endpoint).rerank("a", ["b"])
            assert len(endpoint.requests) == 3

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (Reply(status=401), RerankerConfigError),
            (Reply(status=404), RerankerConfigError),
            ({"id": "1", "results": []}, RerankerInvalid),
            (
                {"id": "1", "results": [{"index": 4, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]},
                RerankerInvalid,
            ),
        ],
    )
    def test_what_goes_wrong_is_named(self, reply, error):
        with ModelEndpoint(reranking=lambda _: reply) as endpoint, pytest.raises(error):
            self.reranker(endpoint).rerank("query", ["one", "two"])


# --- a cross-encoder ---------------------------------------------------------------------------------------------------


def cross_encoder(folder, width=1):
    """A tiny one, whose logit is the sum over the text of "boat" 3, "red" 4, "leak" 5, any other word 2."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    words = ["[PAD]", "[SEP]", "[UNK]", "boat", "red", "leak"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A [SEP] $B:1", special_tokens=[("[SEP]", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    axes = numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")
    nodes = [
        helper.make_node("Mul", ["input_ids", "token_type_ids"], ["said"]),
        helper.make_node("Cast", ["said"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers", "axes"], ["logits" if width == 1 else "one"], keepdims=1),
    ]
    if width == 2:
        nodes.append(helper.make_node("Concat", ["one", "one"], ["logits"], axis=1))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"]) for n in ("input_ids", "token_type_ids")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (folder / "onnx").mkdir()
    onnx.save(model, str(folder / "onnx" / "model.onnx"))


class TestCrossEncoder:
    def test_pairs_are_scored_by_the_model(self, tmp_path):
        cross_encoder(tmp_path)
        assert CrossEncoder(tmp_path).rerank("leak leak", ["boat", "red leak", "boat boat boat boat"]) == [3, 9, 12]

    def test_a_folder_is_a_reranker(self, harbour, tmp_path):
        cross_encoder(tmp_path)
        hits, (event,) = searched(harbour, str(tmp_path), limit=5, min_score=0)
        assert event.reranker == str(tmp_path) and event.error is None
        assert all("red" in hit.text for hit in hits)

    def test_a_model_of_another_shape_is_none(self, tmp_path):
        cross_encoder(tmp_path, width=2)
        with pytest.raises(RerankerConfigError, match="2"):
            CrossEncoder(tmp_path).rerank("boat", ["red"])

    def test_a_folder_without_its_files_says_which(self, harbour, tmp_path):
        with pytest.raises(RerankerConfigError, match="needs tokenizer"):
            searched(harbour, str(tmp_path))
        cross_encoder(tmp_path)
        (tmp_path / "onnx" / "model.onnx").write_bytes(b"no graph")
        with pytest.raises(RerankerConfigError, match="cannot be loaded"):
            searched(harbour, str(tmp_path))
        (tmp_path / "tokenizer.json").write_text(json.dumps({"no": "tokenizer"}))
        with pytest.raises(RerankerConfigError, match="cannot be loaded"):
            searched(harbour, str(tmp_path))

    def test_without_the_extra_it_says_what_to_install(self, harbour, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
        with pytest.raises(MissingExtra, match=r"pip install 'recollect\[rerank\]'"):
            searched(harbour, "cross-encoder/ms-marco-MiniLM-L6-v2")

    def test_what_cannot_be_fetched_is_told(self, harbour, monkeypatch, tmp_path):
        import huggingface_hub

        def nothing(name, **_):
            raise OSError("no network")

        monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)
        with pytest.raises(RerankerConfigError, match="could not be fetched"):
            searched(harbour, "cross-encoder/ms-marco-MiniLM-L6-v2")

    def test_it_is_found_in_the_cache(self, harbour, monkeypatch, tmp_path):
        import huggingface_hub

        cross_encoder(tmp_path)
        asked = []

        def cached(name, *, allow_patterns, local_files_only):
            asked.append((name, local_files_only))
            return str(tmp_path)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
        searched(harbour, "cross-encoder/tiny")
        assert asked == [("cross-encoder/tiny", True)]


def test_the_command_line_has_it(harbour, tmp_path, monkeypatch, capsys):
    from recollect.surfaces.cli import main

    cross_encoder(tmp_path)
    monkeypatch.setenv("RECOLLECT_HOME", str(harbour))
    words = ["search", "a red boat", "--user", "u", "--rerank", str(tmp_path), "--json", "--limit", "3", "--explain"]
    monkeypatch.setattr("sys.argv", ["recollect", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert not ended.value.code, told.err
    hits = json.loads(told.out)
    assert len(hits) == 3 and all("red" in hit["text"] for hit in hits)
    assert [[one["rank"] for one in hit["channels"] if one["name"] == "rerank"] for hit in hits] == [[1], [2], [3]]
