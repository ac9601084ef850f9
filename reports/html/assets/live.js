(() => {
  "use strict";
  const listed = (id, tag, lines) => document.getElementById(id).replaceChildren(...lines.map((parts) => {
    const line = document.createElement(tag);
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
  const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
  const sentence = ({ servers, trouble }) => {
    if (trouble) return trouble;
    const sum = (number) => servers.reduce((all, one) => all + number(one), 0);
    const [done, total, failed] = [sum((one) => one.done), sum((one) => one.total), sum((one) => one.failures.length)];
    if (!total) return "Waiting for the first check.";
    const rest = done < total ? "" : failed ? " What failed is run again." : " The verdicts are to come.";
    return `${done} of ${counted(total, "check")} done, ${counted(failed, "requirement")} failed so far.${rest}`;
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!document.getElementById("progress")) return;
    const silent = document.getElementById("silent");
    const silentShownSeconds = 10;
    let writtenAt = 0;
    setInterval(() => {
      const seconds = writtenAt ? Math.round(Date.now() / 1000 - writtenAt) : 0;
      silent.textContent = seconds < silentShownSeconds ? "" : `The run has written nothing for ${seconds} s.`;
    }, 1000);
    const events = new EventSource("/events");
    events.addEventListener("message", (event) => {
      const state = JSON.parse(event.data);
      const { servers } = state;
      if (state.finished) {
        events.close();
        location.reload();
        return;
      }
      writtenAt = state.written_at;
      document.getElementById("sentence").textContent = sentence(state);
      listed("progress", "p", servers.map((one) => [
        bar(one.name, one.done, one.total), ` ${one.name}: ${one.done} of ${one.total}${one.finished ? ", judged" : ""}`,
      ]));
      listed("failed", "li", servers.flatMap((one) => one.failures.map((failure) => [
        named("code", failure.id), `${servers.length > 1 ? ` on ${one.name}` : ""} ${failure.sentence}`,
        document.createElement("br"), named("span", failure.problem),
      ])));
    });
  });
})();
