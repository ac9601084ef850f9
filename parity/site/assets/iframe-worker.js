// A page that was opened from a disk may start no worker: browsers see another origin. The search runs in a frame then.
(() => {
  "use strict";
  if (location.protocol !== "file:") return;
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const base = new URL(address, location);
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      const loaded = new Promise((resolve) => {
        this.frame.addEventListener("load", () => {
          const inside = this.frame.contentWindow;
          const load = (url) => new Promise((done, failed) => {
            const script = inside.document.createElement("script");
            script.src = new URL(url, base);
            script.onload = done;
            script.onerror = failed;
            inside.document.body.append(script);
          });
          inside.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => load(url)), Promise.resolve());
          inside.postMessage = (data) => this.answer(data);
          load(base).then(() => resolve(inside));
        }, { once: true });
      });
      this.postMessage = (data) => loaded.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
      document.documentElement.append(this.frame);
    }

    answer(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      if (this.onmessage) this.onmessage(event);
    }

    terminate() {
      this.frame.remove();
    }
  };
})();
