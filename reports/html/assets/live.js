(() => {
  "use strict";
  const listed = (id, lines) => document.getElementById(id).replaceChildren(...lines.map((parts) => {
    const line = document.createElement("li");
    line.append(...parts);
    return line;
  }));
  const named = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const bar = (name, done, total) => {
    const made = document.createElement("progress");
    made.max = total || 1;
    made.value = done;
    made.setAttribute("aria-label", name);
    return made;
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!document.getElementById("progress")) return;
    const begun = Date.now();
    const events = new EventSource("/events");
    events.addEventListener("message", (event) => {
      const { servers, finished } = JSON.parse(event.data);
      if (finished) {
        events.close();
        location.reload();
        return;
      }
      const done = servers.reduce((sum, one) => sum + one.done, 0);
      const total = servers.reduce((sum, one) => sum + one.total, 0);
      const failed = servers.flatMap((one) => one.failures.map((failure) => ({ ...failure, server: one.name })));
      const seconds = Math.round((Date.now() - begun) / 1000);
      document.getElementById("sentence").textContent =
        `${done} of ${total} checks done, ${failed.length} requirements failed so far; looked on for ${seconds} s.`;
      listed("progress", servers.map((one) => [
        bar(one.name, one.done, one.total), ` ${one.name}: ${one.done} of ${one.total}${one.finished ? ", judged" : ""}`,
      ]));
      listed("failed", failed.map((one) => [
        named("code", one.id), ` on ${one.server}: ${one.sentence} `, named("span", one.problem),
      ]));
    });
  });
})();
