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
  let again = false;
  const refresh = async () => {
    if (busy()) { again = true; return; }
    again = false;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || busy()) return;
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
  events.addEventListener("change", () => refresh().catch(() => {}));
  // What changed between the drawing and the opening was told to nobody here.
  events.onopen = () => { document.body.classList.remove("offline"); refresh().catch(() => {}); };
  events.onerror = () => document.body.classList.add("offline");
  document.addEventListener("toggle", () => { if (again && !busy()) refresh().catch(() => {}); }, true);
  // A link out of an alert leads to a form that is folded: it is opened.
  const unfold = () => {
    const d = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (d) { const fold = d.matches("details") ? d : d.querySelector("details"); if (fold) fold.open = true; d.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
