"""What a report says of its own numbers."""

from __future__ import annotations

from collections.abc import Sequence

KEY = (
    "An audit of the data set doubts some of its answers and some of its evidence. The corrected key leaves out of the"
    " metrics of answers the questions whose answer is doubted, and of the metrics of retrieval those whose evidence is."
)
ONE_KEY = "No audit doubts the key of what was asked: the released key is the corrected one."
BASELINES = (
    "Rankings alone, no reader and no judge. R@k is evidence recall over the first k distinct turns in rank order, a memory"
    " standing for its source turns; hit@10 and nDCG@10 likewise. Means over the questions that have an answer and evidence."
    " Numbers of other reports can be set beside these where the questions are the same and at least as many results were"
    " asked for as the largest k needs."
)
COMPARISONS = (
    "Differences in percentage points over the questions that both systems were asked, with 95 % intervals by a paired"
    " bootstrap. p: McNemar's exact test where a question is right or wrong, else the bootstrap's; of the categories, after"
    " Holm over them. Bold: p below 0.05. “Right alone”: questions that this system alone has right, and those that the other"
    " one alone has. The plain rival is the strongest one by that metric, so it is the hardest to beat."
)
ATTRIBUTION = (
    "A question is lost where its answer is judged wrong; without a judge, where its evidence is not wholly in the context"
    " (not among the results, where no context was made). The stage is the first at which a piece of evidence was lost, from"
    " evidence ids and from what is stored, found and packed; no model is asked."
)
MONEY = (
    "Of records without an error. Systems that replied in the same words share a judgement, and systems of one store what it"
    " took in; the first of them has the price."
    " Unpriced: the price list does not know the model."
)
LATENCY = (
    "Per question, but ingestion, which is all conversations together. Tokens of contexts: cl100k_base, for all systems"
    " alike."
)
UNEQUAL = (
    "Where the number of questions varies, systems took part in different ones, which the column does not make up for."
)
NO_RIVALS = (
    "No plain rival was measured, and numbers without one say little: recollect eval baseline DATA --out runs/baseline, then"
    " a report of both runs."
)
REPEAT = "The same records give every number again to the digit: recollect eval rescore RUN. To make the runs anew:"
ENDPOINTS = "Endpoints and keys (--api-base, $RECOLLECT_API_KEY) are in no record, and have to be given again."
OVER_QUESTIONS = "Intervals of this report are over questions."
OVER_CONVERSATIONS = "Intervals of this report are over conversations."

MEASURES: Sequence[tuple[str, str]] = (
    (
        "R@k",
        "Share of a question's evidence turns among the first k distinct turns found; a memory stands for its source turns.",
    ),
    (
        "session R@k",
        "Where the data set names the sessions that carry an answer: share of these among the first k distinct sessions found.",
    ),
    (
        "hit@k, nDCG@k, MRR",
        "Whether any evidence is among them; the same weighed by rank; one over the rank of the first.",
    ),
    (
        "precision",
        "Share of the results that stand for any evidence turn, where there are results. Few turns are evidence, so it is low for"
        " whoever returns much.",
    ),
    (
        "in the context",
        "Share of the evidence turns that parts of the reader's context stand for. Whether a memory says what its turn says is"
        " looked at by the stages.",
    ),
    ("silent on unrelated", "Share of questions about other conversations to which nothing was returned."),
    (
        "judged right",
        "Share of answers that the judge took for right, or that abstained where the answer was never said. The judge sees"
        " neither whose answer it is nor an order of systems.",
    ),
    (
        "F1, BLEU-1, exact match",
        "Overlap of words with the key, after the rules of LoCoMo and SQuAD. They miss what is said in other words.",
    ),
    (
        "abstention",
        "Recall: of the questions whose answer was never said, how many were met by “not said”. Precision: of all such"
        " replies, how many were right. Wrongly: of the questions that have an answer. By the judge, and by phrases.",
    ),
    (
        "intervals",
        "95 %, by a bootstrap over questions unless said otherwise: how far other questions about the same conversations"
        " would move a number. They say nothing of other conversations.",
    ),
)
