// What a page owes to everybody; returns a list of what it lacks.
() => {
  const faults = [];
  const all = (what) => [...document.querySelectorAll(what)];
  const told = (node) => node.outerHTML.slice(0, 120);
  const shown = (node) => node.checkVisibility({ checkVisibilityCSS: true });
  const name = (node) => (node.getAttribute("aria-label") || node.textContent || "").trim();

  if (document.documentElement.lang !== "en") faults.push("the page's language is not told");
  if (all("h1").length !== 1) faults.push(`${all("h1").length} headings of the first level`);
  if (all("main").length !== 1) faults.push("no single main part");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) faults.push("a level of headings is left out: " + told(heading));
    level = next;
  }
  const ids = all("[id]").map((node) => node.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push("twice: #" + id);
  for (const node of all("input:not([type=hidden]), select, textarea, progress"))
    if (![...(node.labels || [])].some(name) && !node.getAttribute("aria-label")) faults.push("no label: " + told(node));
  for (const node of all("a[href], button"))
    if (shown(node) && !name(node)) faults.push("no name: " + told(node));
  for (const node of all("img")) if (!node.alt) faults.push("no alternative: " + told(node));
  for (const node of all("svg"))
    if (node.getAttribute("aria-hidden") !== "true" && !node.closest("[aria-hidden=true]") &&
        !(node.getAttribute("role") && (node.getAttribute("aria-label") || node.querySelector("title"))))
      faults.push("drawing without a name: " + told(node));
  for (const table of all("table")) {
    if (!table.caption || !name(table.caption)) faults.push("table without a caption: " + told(table));
    for (const head of table.querySelectorAll("th"))
      if (!head.scope) faults.push("heading of a table without a scope: " + told(head));
  }
  for (const node of all("[style], style")) faults.push("style in the page: " + told(node));
  for (const node of all("*"))
    for (const each of node.attributes)
      if (each.name.startsWith("on")) faults.push("script in the page: " + told(node));

  const rgb = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return text.startsWith("color(") ? [...parts.slice(0, 3).map((p) => p * 255), parts[3] ?? 1] : [parts[0], parts[1], parts[2], parts[3] ?? 1];
  };
  const over = (front, back) => front.slice(0, 3).map((v, i) => v * front[3] + back[i] * (1 - front[3]));
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    const own = rgb(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(node.parentElement));
  };
  const light = (color) => {
    const [r, g, b] = color.map((v) => { const s = v / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || seen.has(node) || !shown(node) || node.closest("svg, .unseen, option")) continue;
    seen.add(node);
    const back = ground(node);
    const [a, b] = [light(over(rgb(getComputedStyle(node).color), back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${told(node)}`);
  }
  for (const text of all("svg text")) {
    if (!shown(text)) continue;
    const back = ground(text.closest("svg"));
    const [a, b] = [light(rgb(getComputedStyle(text).fill)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)} in a drawing: ${told(text)}`);
  }
  return faults;
}
