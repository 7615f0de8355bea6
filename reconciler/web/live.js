// The page is whole without this. With it, what is shown is brought up to date
// when the daemon says that something changed, unless somebody is filling in a
// form.
"use strict";
(() => {
  const main = () => document.querySelector("main");
  const busy = () => {
    const a = document.activeElement;
    return (a && a.form && main().contains(a)) || [...main().querySelectorAll("details.act")].some((d) => d.open);
  };
  // Whoever goes by keyboard stays where they are when what is shown is replaced.
  const place = (e) => {
    if (!e || !main().contains(e)) return null;
    if (e.matches("a[href]")) return `a[href="${CSS.escape(e.getAttribute("href"))}"]`;
    const near = e.closest("[id]");
    return near && near !== main() ? `#${CSS.escape(near.id)} ${e.localName}` : null;
  };
  // What is drawn anew while somebody writes, looks elsewhere, or while it is
  // being drawn already, is drawn once afterwards.
  let again = false, drawing = false;
  const refresh = async () => {
    again = busy() || document.hidden || drawing;
    if (again) return;
    drawing = true;
    try { await draw(); } finally { drawing = false; }
    if (again) later();
  };
  const later = () => refresh().catch(() => {});
  const draw = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 401 && !busy()) { location.reload(); return; } // to the way in, and back here
    if (!answer.ok) return;
    if (busy()) { again = true; return; }
    const doc = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = new Set([...document.querySelectorAll("details[id]")].filter((d) => d.open).map((d) => d.id));
    const focus = place(document.activeElement);
    for (const part of ["header", "main"]) {
      const now = document.querySelector(part), next = doc.querySelector(part);
      if (now && next && now.innerHTML !== next.innerHTML) now.replaceWith(next);
    }
    for (const id of open) { const d = document.getElementById(id); if (d) d.open = true; }
    const at = focus && document.activeElement === document.body && main().querySelector(focus);
    if (at) at.focus({ preventScroll: true });
  };
  const events = new EventSource("/api/v1/events");
  // A view of one environment has nothing new where only others changed.
  const shown = (/^\/environments\/([^/]+)/.exec(location.pathname) || [])[1];
  events.addEventListener("change", (e) => {
    const about = JSON.parse(e.data).environments;
    if (!about || !shown || about.includes(decodeURIComponent(shown))) later();
  });
  // What changed between the drawing and the opening was told to nobody here.
  events.onopen = () => { document.body.classList.remove("offline"); later(); };
  events.onerror = () => {
    document.body.classList.add("offline");
    if (events.readyState === EventSource.CLOSED) later(); // refused: the session may be over
  };
  // Nothing changes in an environment at rest but the age of what was seen.
  setInterval(later, 60000);
  document.addEventListener("toggle", () => { if (again) later(); }, true);
  document.addEventListener("visibilitychange", () => { if (again) later(); });
  document.addEventListener("focusout", () => { if (again) setTimeout(later); });
  // Escape folds the form somebody is in, and leads back to where it was opened.
  document.addEventListener("keydown", (e) => {
    const form = e.key === "Escape" && document.activeElement.closest("details.act[open]");
    if (form) { form.open = false; form.querySelector("summary").focus(); }
  });
  // A link out of an alert leads to a form that is folded: it is opened.
  const unfold = () => {
    const d = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    // One of many differences stands on a page of its own.
    if (!d && location.hash && document.querySelector("[data-more]") && !/[?&]item=/.test(location.search)) {
      location.replace(`${location.pathname}?item=${location.hash.slice(1)}${location.hash}`);
    }
    if (d) { const fold = d.matches("details") ? d : d.querySelector("details"); if (fold) fold.open = true; d.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
