// The toolbar of a text: marks around what is chosen, fields where the cursor stands. Without this script the text is written by hand.
"use strict";
(() => {
  for (const bar of document.querySelectorAll(".toolbar[data-for]")) {
    const area = document.getElementById(bar.dataset.for);
    const put = (before, sample, after, chosen = area.value.slice(area.selectionStart, area.selectionEnd) || sample) => {
      const from = area.selectionStart;
      area.setRangeText(before + chosen + after, from, area.selectionEnd, "end");
      area.setSelectionRange(from + before.length, from + before.length + chosen.length);
      area.focus();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    };
    bar.hidden = false;
    bar.addEventListener("click", (event) => {
      const { before, sample, after } = event.target.dataset;
      if (before !== undefined) put(before, sample, after);
    });
    bar.addEventListener("change", (event) => {
      if (event.target.value) put("", "", "", event.target.value);
      event.target.value = "";
      event.stopPropagation();
    });
    bar.addEventListener("input", (event) => event.stopPropagation());
  }
})();
