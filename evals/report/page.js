"use strict";
// Filters the lists of cases. Without it they stand there whole.
for (const list of document.querySelectorAll(".cases")) {
  const form = list.querySelector(".filter");
  const cases = [...list.querySelectorAll(":scope > .case")].map((node) => ({
    node,
    category: node.dataset.category,
    lost: node.dataset.lost.split("|").map((pair) => [pair.slice(0, pair.indexOf(":")), pair.slice(pair.indexOf(":") + 1)]),
    text: null,
  }));
  const chosen = (by) => form.querySelector(`[data-by=${by}]`).value;
  const filter = () => {
    const [category, stage, system, words] = ["category", "stage", "system", "text"].map(chosen);
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of cases) {
      if (wanted.length && one.text === null) one.text = one.node.textContent.toLowerCase();
      const fits =
        (!category || one.category === category) &&
        one.lost.some(([by, at]) => (!system || by === system) && (!stage || at === stage)) &&
        wanted.every((word) => one.text.includes(word));
      one.node.hidden = !fits;
      shown += fits;
    }
    form.querySelector("output").textContent = `${shown} of ${cases.length}`;
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
