// All the script there is: the zone for times, "/" for the search, the boxes of a list.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const said = document.cookie.split("; ").find((part) => part.startsWith("zone="));
if (zone && said !== `zone=${zone}`) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  if (!said && document.querySelector("time, .date")) location.reload();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.getElementById("q").focus();
  }
});

const all = document.getElementById("all");
if (all) {
  const boxes = [...document.querySelectorAll('input[name="ids"]')];
  const button = [...document.querySelectorAll(".bulk button[name=decision]")];
  const legend = document.querySelector(".bulk legend");
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    button.forEach((each) => { each.disabled = chosen === 0; });
    if (legend) legend.textContent = chosen ? `With the ${chosen} selected` : "With the selected";
  };
  all.addEventListener("change", () => { boxes.forEach((box) => { box.checked = all.checked; }); show(); });
  boxes.forEach((box) => box.addEventListener("change", show));
  show();
}
