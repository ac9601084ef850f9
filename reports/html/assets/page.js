(() => {
  "use strict";
  const root = document.documentElement;
  const KEY = "parity-theme";
  const THEMES = ["auto", "light", "dark"];

  // A page opened from disk may be refused its storage; the choice then lasts as long as the page.
  const remembered = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem(KEY, theme); } catch { /* see above */ } };

  const show = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
  };
  let theme = THEMES.includes(remembered()) ? remembered() : "auto";
  show(theme);

  const themeButton = () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      remember(theme);
      show(theme);
    });
    show(theme);
  };

  const copyButtons = () => {
    if (!navigator.clipboard) return;
    for (const block of document.querySelectorAll(".command")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy command: ${block.querySelector("code").textContent}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(block.querySelector("code").textContent);
          button.textContent = "Copied";
        } catch {
          button.textContent = "Select and copy";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      block.append(button);
    }
  };

  const openTarget = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.scrollIntoView();
  };

  const filterRows = () => {
    const field = document.getElementById("filter");
    if (!field) return;
    const count = document.getElementById("filter-count");
    // Text is read once: asking the document for it at each key takes longer than a key may.
    const groups = [...document.querySelectorAll("#requirements .by-name")].map((group) => ({
      group,
      rows: [...group.querySelectorAll(".requirement")].map((row) => ({
        row,
        text: `${row.querySelector("summary").textContent} ${group.id}`.toLowerCase(),
      })),
    }));
    const total = groups.reduce((sum, one) => sum + one.rows.length, 0);
    field.closest("[hidden]").hidden = false;
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const { group, rows } of groups) {
        const here = rows.filter(({ text }) => text.includes(wanted)).length;
        group.hidden = here === 0;
        shown += here;
        if (here === 0) continue; // What isn't shown is left as it is: each change of it costs the browser.
        group.open = wanted !== "";
        for (const { row, text } of rows) if (row.hidden === text.includes(wanted)) row.hidden = !row.hidden;
      }
      count.textContent = `${shown} of ${total}`;
    });
  };

  const openForPrint = () => {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details[data-print]:not([open])")];
      for (const part of opened) part.open = true;
    });
    addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
  };

  document.addEventListener("DOMContentLoaded", () => {
    themeButton();
    copyButtons();
    filterRows();
    openForPrint();
    openTarget();
    addEventListener("hashchange", openTarget);
  });
})();
