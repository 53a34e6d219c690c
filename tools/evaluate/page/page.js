"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const NEAR = 30; // pixels from the pointer to a point whose values are shown

  one("scale").addEventListener("change", (event) =>
    document.body.classList.toggle("is-log", event.target.checked));

  for (const button of all("#legend button"))
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      for (const group of all("g[data-series]"))
        if (group.dataset.series === button.dataset.series) group.classList.toggle("off", !on);
    });

  const tip = one("tip");
  function hide() {
    tip.hidden = true;
    for (const group of all("g.near")) group.classList.remove("near");
  }
  function tell(svg, event) {
    const box = svg.getBoundingClientRect(), factor = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * factor, y = (event.clientY - box.top) * factor;
    let best = null;
    for (const group of all("g[data-series]:not(.off)", svg))
      for (const point of group.dataset.points.split(" ")) {
        const [px, py, rate, value] = point.split(",").map(Number);
        const far = Math.hypot(px - x, py - y);
        if (!best || far < best.far) best = { far, group, rate, value };
      }
    hide();
    if (!best || best.far > NEAR * factor) return;
    best.group.classList.add("near");
    const { before = "", unit = "" } = svg.closest(".plot").dataset;
    const at = before ? `${before}${best.rate}` : `${best.rate.toPrecision(3)}${unit}`;
    tip.textContent = `${best.group.dataset.label}: ${best.value.toPrecision(4)} at ${at}`;
    tip.hidden = false;
    const width = tip.offsetWidth;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - width - 4)}px`;
    tip.style.top = `${event.clientY + 14}px`;
  }
  for (const svg of all(".plot svg")) {
    svg.addEventListener("pointermove", (event) => tell(svg, event));
    svg.addEventListener("pointerdown", (event) => tell(svg, event));
    svg.addEventListener("pointerleave", hide);
  }

  const shown = JSON.parse(one("data").textContent);
  if (!shown.length) { one("sides").hidden = true; return; }
  const picture = one("picture"), left = one("left"), right = one("right"), slider = one("slider");
  const wipe = one("wipe"), over = one("over");
  function move() {
    const part = slider.value / slider.max * 100;
    over.style.clipPath = `inset(0 ${100 - part}% 0 0)`;
    one("bar").style.left = `${part}%`;
  }
  const player = one("player"), frame = one("frame");
  function show() {
    const chosen = shown[picture.value], a = chosen.sides[left.value], b = chosen.sides[right.value];
    const at = player ? Number(frame.value) : 0;
    wipe.style.aspectRatio = `${chosen.width} / ${chosen.height}`;
    wipe.style.width = `${chosen.width * 1.5}px`;
    over.src = a.urls[at]; one("under").src = b.urls[at];
    over.alt = a.label; one("under").alt = b.label;
    const said = (side) => [side.label, side.said, side.frames[at]].filter(Boolean).join(", ");
    one("said").textContent = `Left: ${said(a)}. Right: ${said(b)}.`;
    if (player) one("number").textContent = `${at + 1} of ${a.urls.length}`;
  }
  function fill() {
    const sides = shown[picture.value].sides;
    for (const [select, at] of [[left, 1], [right, Math.min(2, sides.length - 1)]]) {
      const kept = select.selectedIndex;
      select.replaceChildren(...sides.map((side, i) => new Option(side.label, i)));
      select.selectedIndex = kept >= 0 && kept < sides.length ? kept : at;
    }
    if (player) { frame.max = sides[0].urls.length - 1; frame.value = 0; }
    show();
  }
  picture.addEventListener("change", fill);
  left.addEventListener("change", show);
  right.addEventListener("change", show);
  slider.addEventListener("input", move);
  fill();
  move();

  if (!player) return;
  let timer = null;
  function step(by) {
    const count = Number(frame.max) + 1;
    frame.value = (Number(frame.value) + by + count) % count;
    show();
  }
  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => step(1), 1000 / shown[picture.value].rate) : null;
    one("play").textContent = on ? "Pause" : "Play";
  }
  one("play").addEventListener("click", () => play(!timer));
  frame.addEventListener("input", () => { play(false); show(); });
  picture.addEventListener("change", () => play(false));
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.tagName === "SELECT" || event.target === slider) return;
    event.preventDefault();
    play(false);
    step(by);
  });
})();
