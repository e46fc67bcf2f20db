"""What visitors see: a review goes in, a verdict comes out, with the words that tipped it."""

import html

import streamlit as st

from app.data import DataError
from app.explanation import explain
from app.in_service import live
from app.live import PROVABLE, Serving
from app.table import judge_table
from app.verdict import LONGEST_MARKED, chart, in_words, marked, percent, telling_words

EXAMPLES = {
    "A rave": "I laughed, I cried, and I would gladly see it again tomorrow. The cast is wonderful, the "
    "songs are a delight and there is not a dull minute in it.",
    "A slating": "Two hours of my life wasted. The plot makes no sense, the jokes are painful and the "
    "acting is so wooden that the furniture looks lively.",
    "A bit of both": "It starts badly and the first half hour is far too slow, but then the two leads meet "
    "on the roof and suddenly it is charming.",
}
# Drawn here: an icon by name would be fetched from another host.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8" '
    'fill="#eb6e14"/><path d="M8 0a8 8 0 0 1 0 16z" fill="#2f81f7"/></svg>'
)
LONGEST_REVIEW = 100_000  # characters: a short novel
FACTS = {
    "digest": "Model digest",
    "uri": "Comes from",
    "since": "Answers since",
    "version": "Version",
    "registered": "Registered",
    "run": "Trained by run",
    "code": "Code that trained it",
    "data": "Data that trained it",
    "accuracy": "Accuracy on reviews it never saw",
}


def one_review(serving: Serving) -> None:
    """Ask for a review and explain the model's verdict on it."""
    st.write("Write one, or try an example:")
    for column, (name, text) in zip(st.columns(len(EXAMPLES)), EXAMPLES.items(), strict=True):
        column.button(
            name,
            on_click=st.session_state.update,
            kwargs={"review": text},
            width="stretch",
        )
    review = st.text_area(
        "Your review",
        key="review",
        height=160,
        max_chars=LONGEST_REVIEW,
        placeholder="I thought that ...",
    )
    st.button("Judge it", type="primary")
    if not review.strip():
        st.info("Type a review above, and the model tells what it makes of it.")
        return
    explanation = explain(serving.model, review)
    words = telling_words(explanation)
    st.header(in_words(explanation.positive), anchor=False)
    st.progress(
        explanation.positive,
        f"Chance that it is positive: {percent(explanation.positive)}",
    )
    if words.empty:
        st.write(
            "None of these words tells the model anything, so this is little more than a guess."
        )
        return
    if sum(word.known for word in explanation.words) < 5:
        st.write("That is very short for a review: take the verdict with a grain of salt.")
    st.markdown("**The words that tipped it**")
    st.vega_lite_chart(chart(words), width="stretch")
    st.markdown("**Where they stand**")
    st.html(marked(review, explanation))
    if len(explanation.words) > LONGEST_MARKED:
        st.write(f"The verdict is on all of it; the first {LONGEST_MARKED:,} words are shown.")


def a_table(serving: Serving) -> None:
    """Take a CSV file with a column `review` and give it back with verdicts."""
    file = st.file_uploader("A CSV file with a column `review`, in UTF-8", type="csv")
    if file is None:
        return
    key = (file.file_id, serving.digest)
    if st.session_state.get("judged_key") != key:
        bar = st.progress(0.0, "Reading")
        try:
            judged = judge_table(serving.model, file, file.name, bar.progress)
        except DataError as error:
            bar.empty()
            st.error("That table cannot be judged.")
            st.text(str(error))
            return
        bar.empty()
        st.session_state["judged_key"], st.session_state["judged"] = key, judged
    judged = st.session_state["judged"]
    counts = judged["verdict"].value_counts()
    st.write(", ".join(f"{counts.get(v, 0):,} {v}" for v in ("positive", "negative", "unsure")))
    st.dataframe(judged.head(1000), hide_index=True)
    if len(judged) > 1000:
        st.write(f"The first 1,000 of {len(judged):,} rows are shown; the file has all of them.")
    st.download_button(
        "Download with verdicts", judged.to_csv(index=False), "judged.csv", "text/csv"
    )


def the_card() -> None:
    """Show what can be proved of the model that answers; the rest nobody can tell."""
    card = live.card()
    rows = [
        f"<dt><b>{label}</b></dt><dd>{html.escape(str(card[name] or 'nobody can tell'))}</dd>"
        for name, label in FACTS.items()
    ]
    st.html(f'<dl style="overflow-wrap: anywhere">{"".join(rows)}</dl>')
    unknown = sum(card[name] is None for name in PROVABLE)
    if unknown:
        st.write(
            f"{unknown} of {len(FACTS)} facts cannot be proved by where this model comes from."
        )


st.set_page_config("Is this review positive?", page_icon=ICON)
st.title("Is this review positive?", anchor=False)
loading = st.empty()
loading.write(
    "One moment: the model is being loaded."
)  # nothing that moves: loading needs the processor
in_service = live.wait(60)
loading.empty()
if in_service is None:
    st.error("There is no model to ask just now.")
    st.text(live.card()["problem"])
    st.stop()
if live.problem:
    stands_in = "The model that should answer cannot be had; another one stands in for it."
    goes_on = "The last look for a newer model failed; the one in service goes on answering."
    card = live.card()
    st.warning(stands_in if card["fallback"] else goes_on)
    st.text(f"{live.problem} (since {card['problem_since']})")
single, table, card_tab = st.tabs(["One review", "A table of reviews", "The model's card"])
with single:
    one_review(in_service)
with table:
    a_table(in_service)
with card_tab:
    the_card()
