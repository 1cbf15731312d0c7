// What a live page needs besides htmx: passing time, following logs, and saying when the connection is lost.
// Without this file, and without JavaScript, every page still works; it just has to be loaded again.
"use strict";

(() => {
  const HIDDEN_MS = 10_000;
  const LOG_LIMIT = 2_000_000; // characters kept in one log on the page

  const ago = (seconds) => {
    if (seconds < 10) return "just now";
    if (seconds < 60) return `${Math.floor(seconds)} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    const days = Math.floor(seconds / 86400);
    return days === 1 ? "yesterday" : `${days} days ago`;
  };
  const lasted = (seconds) => {
    if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-ticks]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      const words = "since" in time.dataset ? lasted(seconds) : ago(seconds);
      if (time.textContent !== words) time.textContent = words;
    }
  };

  const isFollowed = () => document.getElementById("follow")?.checked ?? false;
  const toEnd = (log) => { if (isFollowed()) log.scrollTop = log.scrollHeight; };
  const openLog = (name) => {
    const panel = document.getElementById(`log-${name}`);
    if (panel && !panel.dataset.touched) panel.open = true;
  };
  const openRunning = () => {
    for (const step of document.querySelectorAll('[data-step][data-look="busy"], [data-step][data-look="bad"]')) {
      openLog(step.dataset.step);
    }
  };
  const openAddressed = () => {
    const panel = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (panel instanceof HTMLDetailsElement) { panel.open = true; panel.scrollIntoView({ block: "start" }); }
  };
  const lastEnd = (log) => Number(log.querySelector("span[data-end]:last-of-type")?.dataset.end ?? 0);
  const trim = (log) => {
    while (log.textContent.length > LOG_LIMIT && log.children.length > 1) log.firstElementChild.remove();
  };

  // A browser that reconnects from scratch is sent pieces again that it has: they end no later than what is shown.
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const log = event.target;
    if (!log.matches("pre.log-text")) return;
    const end = /data-end="(\d+)"/.exec(event.detail.data);
    if (end && Number(end[1]) <= lastEnd(log)) event.preventDefault();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!event.target.matches?.("pre.log-text")) return;
    trim(event.target);
    toEnd(event.target);
  });
  document.addEventListener("htmx:sseMessage", () => { tick(); if (isFollowed()) openRunning(); });

  // Where a new connection goes on: behind what was heard last.
  document.addEventListener("htmx:sseMessage", (event) => {
    const part = event.target.closest("[sse-connect]");
    if (!part || !event.detail.lastEventId) return;
    const address = new URL(part.getAttribute("sse-connect"), location.href);
    address.searchParams.set("cursor", event.detail.lastEventId);
    part.setAttribute("sse-connect", address.pathname + address.search);
  });
  // Browsers open six connections to a host: tabs that nobody looks at let theirs go, or a seventh would wait for ever.
  let paused = null;
  let pausing = 0;
  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(pausing);
    if (document.hidden) {
      pausing = window.setTimeout(() => {
        const source = document.querySelector("[sse-connect]")?.["htmx-internal-data"]?.sseEventSource;
        if (!source || source.readyState === EventSource.CLOSED) return;
        source.close();
        paused = source;
      }, HIDDEN_MS);
    } else if (paused) {
      paused.onerror(new Event("error")); // htmx takes it for a lost connection, and makes a new one
      paused = null;
    }
  });

  const say = (words, isLost) => {
    const live = document.getElementById("live");
    live.hidden = !words;
    live.classList.toggle("lost", isLost);
    if (live.textContent !== words) live.textContent = words;
  };
  document.addEventListener("htmx:sseOpen", () => say("Live", false));
  document.addEventListener("htmx:sseError", () => say("Reconnecting …", true));
  document.addEventListener("htmx:sseClose", () => say("", false));

  document.addEventListener("click", (event) => {
    const panel = event.target.closest?.("summary")?.parentElement;
    if (panel?.classList.contains("log")) panel.dataset.touched = "yes";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form?.id === "comment") {
      event.target.form.requestSubmit();
    }
  });
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button");
    if (button) window.setTimeout(() => { button.disabled = true; }); // pressed once is enough
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const button of document.querySelectorAll("form button")) button.disabled = false;
  });

  window.addEventListener("hashchange", openAddressed);
  for (const log of document.querySelectorAll("pre.log-text")) {
    toEnd(log);
    log.addEventListener("wheel", (event) => {
      const follow = document.getElementById("follow");
      if (follow && event.deltaY < 0) follow.checked = false;
    }, { passive: true });
  }
  document.getElementById("follow")?.addEventListener("change", () => {
    for (const log of document.querySelectorAll("pre.log-text")) toEnd(log);
  });
  openAddressed();
  tick();
  window.setInterval(tick, 1000);
})();
