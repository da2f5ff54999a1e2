// What the pages cannot do with forms alone: dragging bricks, dropping and pasting pictures, examples.
(() => {
  "use strict";

  const plate = () => document.querySelector("[data-drop]");

  document.addEventListener("dragstart", (event) => {
    const brick = event.target.closest && event.target.closest("[data-file]");
    if (!brick) return;
    event.dataTransfer.setData("text/plain", brick.dataset.file);
    event.dataTransfer.effectAllowed = "move";
  });

  // The place before which a brick is dropped: the first part whose middle is right of, or below, the pointer.
  const placeAt = (x, y) => {
    const parts = [...plate().querySelectorAll("[data-place]")];
    const next = parts.findIndex((part) => {
      const box = part.getBoundingClientRect();
      return y < box.top || (y < box.bottom && x < box.left + box.width / 2);
    });
    return next < 0 ? parts.length : next;
  };

  document.addEventListener("dragover", (event) => {
    const zone = event.target.closest && event.target.closest("[data-drop], form.drop");
    if (!zone) return;
    event.preventDefault();
    zone.classList.add("over");
  });

  document.addEventListener("dragleave", (event) => {
    const zone = event.target.closest && event.target.closest("[data-drop], form.drop");
    if (zone && !zone.contains(event.relatedTarget)) zone.classList.remove("over");
  });

  const send = (form, files) => {
    const input = form.querySelector("input[type=file]");
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    form.requestSubmit();
  };

  document.addEventListener("drop", (event) => {
    const zone = event.target.closest && event.target.closest("[data-drop], form.drop");
    if (!zone) return;
    event.preventDefault();
    zone.classList.remove("over");
    if (zone.matches("form.drop")) {
      if (event.dataTransfer.files.length > 0) send(zone, event.dataTransfer.files);
      return;
    }
    const file = event.dataTransfer.getData("text/plain");
    if (!file) return;
    const values = { file, at: placeAt(event.clientX, event.clientY) };
    window.htmx.ajax("POST", zone.dataset.drop, { values, target: "#plate", select: "#plate", swap: "outerHTML" });
  });

  document.addEventListener("paste", (event) => {
    const form = document.querySelector("form.drop");
    const files = [...event.clipboardData.files].filter((file) => file.type.startsWith("image/"));
    if (form && files.length > 0) send(form, files);
  });

  document.addEventListener("click", async (event) => {
    const example = event.target.closest && event.target.closest("[data-example]");
    if (!example) return;
    const answer = await fetch(example.dataset.example);
    if (!answer.ok) return;
    const picture = new File([await answer.blob()], "example.png", { type: "image/png" });
    send(document.querySelector("form.drop"), [picture]);
  });
})();
