"use strict";
// A pointer or the arrow keys move a cursor over a clip's lines; the numbers stand beside each.
for (const lines of document.querySelectorAll(".lines")) {
  const data = JSON.parse(lines.querySelector("script").textContent);
  const slider = lines.querySelector(".axis");
  const cursor = lines.querySelector(".cursor");
  const labels = cursor.querySelectorAll("b");
  const values = [...lines.querySelectorAll(".value")];
  const resting = values.map((value) => value.textContent);
  const count = data.times.length;
  let place = -1;

  const words = (seconds) => {
    if (data.seconds < 600) return seconds.toFixed(1) + " s";
    const two = (number) => String(number).padStart(2, "0");
    const whole = Math.floor(seconds);
    return Math.floor(whole / 3600) + ":" + two(Math.floor(whole / 60) % 60) + ":" + two(whole % 60);
  };
  const nearest = (seconds) => {
    let low = 0, high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (data.times[middle] <= seconds + 1e-6) low = middle; else high = middle - 1;
    }
    return low;
  };
  const read = (track, index, seconds) => {
    if (track.spans) {
      const span = track.spans.find((one) => one[0] <= seconds + 1e-6 && seconds < one[1] - 1e-6);
      return span ? span[2] : track.rest;
    }
    const high = (track.high[index] / 1000).toFixed(track.digits);
    const low = track.low ? (track.low[index] / 1000).toFixed(track.digits) : high;
    return low === high ? high : low + " to " + high;
  };
  const show = (index) => {
    place = Math.min(Math.max(index, 0), count - 1);
    const seconds = data.times[place];
    const part = seconds / data.seconds;
    const told = data.tracks.map((track, number) => {
      const value = read(track, place, seconds);
      values[number].textContent = value;
      return track.name + " " + value;
    });
    labels.forEach((label) => { label.textContent = words(seconds); });
    cursor.style.left = part * 100 + "%";
    cursor.classList.toggle("far", part > 0.7);
    lines.classList.add("pointed");
    slider.setAttribute("aria-valuenow", seconds.toFixed(2));
    slider.setAttribute("aria-valuetext", words(seconds) + ": " + told.join(", "));
  };
  const rest = () => {
    place = -1;
    lines.classList.remove("pointed");
    values.forEach((value, number) => { value.textContent = resting[number]; });
  };
  const follow = (event) => {
    const box = lines.getBoundingClientRect();
    show(nearest(((event.clientX - box.left) / box.width) * data.seconds));
  };
  if (!count) continue;
  lines.addEventListener("pointermove", follow);
  lines.addEventListener("pointerdown", follow);
  lines.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") rest(); });
  slider.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.round(count / 10));
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: page, PageUp: -page, Home: -count, End: count };
    if (event.key === "Escape") rest();
    else if (event.key in steps) {
      event.preventDefault();
      show(place + steps[event.key]);
    }
  });
}
// A mark on a line leads to its alert, and opens it.
const open = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
};
addEventListener("hashchange", open);
open();
