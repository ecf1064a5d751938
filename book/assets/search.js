// The book's search: words, ranking, the list of results, and the marks on the page that a result leads to.
// The index (search_index.js, written by book_search.py) holds the sections' text; what ranks them is counted here.
(() => {
  "use strict";

  // ---------------------------------------------------------------- words

  const known = new Map();  // a word in lower case: its stem. In the end this is the vocabulary.

  // A plural, -ing or -ed goes, and an -e, so that divide, divides, divided and dividing are one.
  function stem(word) {
    if (known.has(word)) return known.get(word);
    let w = word.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/['’](s|)$/, "").replace(/['’]/g, "");
    if (w.length > 3 && /^[a-z]+$/.test(w)) {
      if (w.endsWith("ies")) w = w.slice(0, -3) + "y";
      else if (/(ss|sh|ch|x|z)es$/.test(w)) w = w.slice(0, -2);
      else if (/[^su]s$/.test(w)) w = w.slice(0, -1);
      const bare = w.replace(/(ing|[^e]ed)$/, end => (end === "ing" ? "" : end[0]));
      if (bare !== w && bare.length > 2 && /[aeiouy]/.test(bare)) {
        w = bare.replace(/([^aeiouylsz])\1$/, "$1");
      }
      if (w.length > 3) w = w.replace(/e$/, "");
    }
    known.set(word, w);
    return w;
  }

  // The words of a text with their places. What a hyphen joins is also one word: warm-up is warm, up and warmup.
  function tokens(text) {
    const found = [];
    for (const match of text.matchAll(/√|[\p{L}\p{N}]+(?:['’]\p{L}+)*/gu)) {
      const word = match[0] === "√" ? "sqrt" : match[0].toLowerCase();
      const last = found.findLast(token => !token.joined);
      const token = {word, key: stem(word), start: match.index, end: match.index + match[0].length};
      found.push(token);
      if (last && last.end === token.start - 1 && "-‑".includes(text[last.end])) {
        const both = last.word + word;
        found.push({word: both, key: stem(both), start: last.start, end: token.end, joined: true});
      }
    }
    return found;
  }

  const keys = text => tokens(text).filter(token => !token.joined).map(token => token.key);
  // gradient_norms is gradient and norms, MultiHeadAttention also multi, head and attention
  const parts = names => names + " " + names.replace(/([a-z0-9])([A-Z])/g, "$1 $2");

  // ---------------------------------------------------------------- ranking

  const FIELDS = [  // what a section's parts weigh, and how much their length counts against them
    {weight: 6, b: 0.5, of: s => s.title},
    {weight: 1, b: 0, of: s => s.path},
    {weight: 3, b: 0.3, of: s => s.terms},
    {weight: 3, b: 0, of: s => parts(s.names)},
    {weight: 1, b: 0.6, of: s => s.text},
    {weight: 0.5, b: 0.6, of: s => s.other},
    {weight: 0.2, b: 0.6, of: s => parts(s.code)},
  ];
  const KIND = {chapter: 1, term: 0.9, page: 0.7, solution: 0.4};
  const SATURATION = 3;

  let engine = null;

  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed), character => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  function build(index) {
    const names = ["page", "anchor", "title", "path", "kind", "text", "other", "terms", "names", "code"];
    const sections = index.sections.map(row => Object.fromEntries(row.map((value, i) => [names[i], value])));
    const introduced = new Set();  // a term counts where the book first sets it in italics
    for (const section of sections) {
      section.terms = section.terms.split("\n").filter(term => {
        const name = keys(term).join(" ");
        return !introduced.has(name) && introduced.add(name);
      }).join("\n");
    }
    const lists = FIELDS.map(field => sections.map(section => tokens(field.of(section))));
    const postings = new Map();
    FIELDS.forEach(({weight, b}, f) => {
      const mean = lists[f].reduce((sum, list) => sum + list.length, 0) / sections.length || 1;
      lists[f].forEach((list, s) => {
        for (const {key} of list) {
          if (!postings.has(key)) postings.set(key, new Map());
          const posting = postings.get(key);
          posting.set(s, (posting.get(s) || 0) + weight / (1 - b + b * list.length / mean));
        }
      });
    });
    sections.forEach((section, s) => {  // for words that stand together
      const read = f => " " + lists[f][s].filter(token => !token.joined).map(token => token.key).join(" ") + " ";
      section.sequence = [0, 2, 3, 4].map(read).join("|");
      section.heading = keys(section.title).join(" ");
    });
    const aliases = index.aliases.flatMap(([forms, says, chapter]) =>
      forms.map(form => ({form: keys(form), says: says.map(keys), name: says[0], chapter})));
    aliases.sort((a, b) => b.form.length - a.form.length);
    return {pages: index.pages, sections, postings, aliases};
  }

  function weigh(key, s) {
    const posting = engine.postings.get(key), tf = posting?.get(s);
    if (!tf) return 0;
    posting.idf ||= Math.log(1 + (engine.sections.length - posting.size + 0.5) / (posting.size + 0.5));
    return posting.idf * tf / (tf + SATURATION);
  }

  const together = (list, section) => section.sequence.includes(` ${list.join(" ")} `);

  // A query as units, each a word, words that a hyphen joins, or an alias, with every way in which it may be written.
  function parse(query) {
    const list = tokens(query), units = [];
    const glued = new Set(list.filter(token => token.joined).map(token => token.end));
    const typed = list.filter(token => !token.joined);
    for (let i = 0; i < typed.length;) {
      const alias = engine.aliases.find(({form}) => form.every((key, j) => typed[i + j]?.key === key));
      let length = alias ? alias.form.length : 1;
      while (!alias && typed[i + length] && glued.has(typed[i + length].end)) length += 1;
      const run = typed.slice(i, i + length), unit = {keys: run.map(token => token.key), alias};
      const {word, key} = run[0];
      unit.ways = [{keys: unit.keys, weight: 1}];
      if (alias) unit.ways.push(...alias.says.map(keys => ({keys, weight: 1, whole: true})));
      i += length;
      if (length === 1 && i === typed.length && word.length > 1) {  // the last word may not be typed to its end
        const longer = new Set();
        for (const [other, otherKey] of known) if (other.startsWith(word) && otherKey !== key) longer.add(otherKey);
        unit.ways.push(...[...longer].map(longerKey => ({keys: [longerKey], weight: 0.5})));
      }
      if (length === 1 && !unit.ways.some(way => engine.postings.has(way.keys[0]))) {  // two words written as one
        for (let cut = 2; cut < word.length - 1; cut++) {
          unit.ways.push({keys: [stem(word.slice(0, cut)), stem(word.slice(cut))], weight: 0.8, whole: true});
        }
      }
      units.push(unit);
    }
    return units;
  }

  // How well a section answers one way of writing a unit.
  function rate(way, section, s) {
    const scores = way.keys.map(key => weigh(key, s));
    if (!scores.every(Boolean)) return 0;
    const sum = way.weight * scores.reduce((a, b) => a + b, 0);
    if (way.keys.length === 1) return sum;
    return together(way.keys, section) ? 1.5 * sum : way.whole ? 0 : 0.5 * sum;
  }

  // Sections for a query, best first, each with its score and its marks: the words, or runs of words, to be marked.
  // `all` says whether they have everything that was asked for.
  function search(query) {
    const units = parse(query), wanted = units.flatMap(unit => unit.keys).join(" ");
    const common = key => (engine.postings.get(key)?.size || 0) > engine.sections.length * 0.4;
    const results = [];
    const near = units.flatMap(unit => unit.ways).flatMap(way => [...engine.postings.get(way.keys[0])?.keys() || []]);
    for (const s of new Set(near)) {
      const section = engine.sections[s], chapter = engine.pages[section.page][2];
      let score = 0, matched = 0;
      const marks = new Map();
      for (const unit of units) {
        let best = 0;
        for (const way of unit.ways) {
          const rated = rate(way, section, s);
          if (!rated) continue;
          best = Math.max(best, rated);
          const runs = together(way.keys, section) ? [way.keys] : way.keys.map(key => [key]);
          for (const run of runs) marks.set(run.join(" "), run);
        }
        matched += best > 0;
        score += unit.alias?.chapter === chapter ? 1.5 * best : best;
      }
      if (!matched) continue;
      const pairs = units.slice(1).filter((unit, i) => together([...units[i].keys, ...unit.keys], section)).length;
      score *= (1 + pairs / Math.max(1, units.length - 1)) * KIND[section.kind || (chapter === null ? "page" : "chapter")];
      if (section.heading === wanted) score *= 1.5;
      results.push({section, score, matched, marks: [...marks.values()]});
    }
    const most = Math.max(0, ...results.map(result => result.matched));
    const found = results.filter(result => result.matched === most).sort((a, b) => b.score - a.score);
    for (const result of found) {  // the and of are not marked, unless nothing else is
      const rare = result.marks.filter(run => run.length > 1 || (run[0].length > 1 && !common(run[0])));
      if (rare.length) result.marks = rare;
    }
    return {found, all: most === units.length, units};
  }

  // ---------------------------------------------------------------- marks and excerpts

  // The places to be marked in a text. What only a space or a hyphen parts is marked as one.
  function places(text, marks) {
    const list = tokens(text), plain = list.filter(token => !token.joined), found = [];
    for (const run of marks) {
      const name = run.join(" ");
      if (run.length === 1) list.forEach(({key, start, end}) => { if (key === name) found.push({name, start, end}); });
      else plain.forEach(({start}, i) => {
        if (!run.every((key, j) => plain[i + j]?.key === key)) return;
        const {end} = plain[i + run.length - 1];
        found.push({name, start, end: text[end] === ")" && text.slice(start, end).includes("(") ? end + 1 : end});
      });
    }
    found.sort((a, b) => a.start - b.start);
    return found.reduce((merged, place) => {
      const last = merged.at(-1);
      if (!last || !/^[ \u00a0\n-]?$/.test(text.slice(last.end, place.start))) merged.push({...place});
      else last.end = Math.max(last.end, place.end);
      return merged;
    }, []);
  }

  function marked(text, marks) {
    const node = document.createDocumentFragment();
    let from = 0;
    for (const {start, end} of places(text, marks)) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(start, end);
      node.append(text.slice(from, start), mark);
      from = end;
    }
    node.append(text.slice(from));
    return node;
  }

  const LONG = 240;  // characters of an excerpt

  // The sentence with the most of what was looked for, and the next if there is room.
  function excerpt(text, marks) {
    const sentences = text.split(/(?<=[.?!][)”"’]?)(?<!\bal\.)\s+(?=[^a-z])|\n/).filter(Boolean);
    const value = sentence => {
      const hits = places(sentence, marks);
      return 10 * new Set(hits.map(hit => hit.name)).size + Math.min(hits.length, 9);
    };
    const values = sentences.map(value), best = values.indexOf(Math.max(...values));
    let shown = sentences[best] || "";
    for (let i = best + 1; i < sentences.length && shown.length + sentences[i].length < LONG; i++) {
      shown += " " + sentences[i];
    }
    if (shown.length <= LONG * 1.25) return shown;
    const first = places(shown, marks)[0]?.start || 0;
    const from = first < LONG / 2 ? 0 : shown.indexOf(" ", first - LONG / 3) + 1;
    const to = from + LONG >= shown.length ? shown.length : shown.lastIndexOf(" ", from + LONG);
    return (from ? "… " : "") + shown.slice(from, to) + (to < shown.length ? " …" : "");
  }

  // ---------------------------------------------------------------- the list of results

  const root = () => document.documentElement.dataset.content_root || "./";

  // Where a result leads: to its section, with the words to be marked there, those of a run joined by hyphens.
  function address({section, marks}) {
    const shortest = {};  // stems as words that can be read
    for (const {word, key} of tokens(section.title + " " + section.terms + " " + section.text)) {
      if (!(shortest[key]?.length <= word.length)) shortest[key] = word;
    }
    const query = new URLSearchParams();
    if (marks.length) query.set("highlight", marks.map(run => run.map(key => shortest[key] || key).join("-")).slice(0, 9).join(" "));
    if (marks.length && section.kind === "solution") query.set("in", "solution");
    return `${root()}${engine.pages[section.page][0]}${marks.length ? "?" : ""}${query}#${section.anchor}`;
  }

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function item(result) {
    const {section} = result, page = engine.pages[section.page], {marks} = result;
    const path = section.path || (page[2] === null ? "" : page[1].split(".")[0]);
    const link = make("a", {href: address(result)});
    if (path) link.append(make("span", {class: "search-path"}, path), " ");
    link.append(make("span", {class: "search-title"}, marked(section.title, marks)));
    const text = excerpt(section.text, marks);
    return make("li", {}, link, ...(text ? [make("p", {class: "search-excerpt"}, marked(text, marks))] : []));
  }

  // Fills `box` with what is found, `limit` at a time; says how many there are.
  function show(query, box, limit, more) {
    const status = box.querySelector("[role=status]"), list = box.querySelector("ol");
    list.replaceChildren();
    box.querySelector(".search-more")?.remove();
    if (!query.trim()) {
      status.textContent = "";
      return;
    }
    const {found, all, units} = search(query);
    const count = found.length === 1 ? "1 section" : `${found.length} sections`;
    const names = units.flatMap(({alias, keys: typed}) =>
      alias && !alias.says.some(says => says.join(" ") === typed.join(" ")) ? [`“${alias.name}”`] : []);
    const also = names.length ? ` Also looked for: ${names.join(", ")}.` : "";
    status.textContent = !found.length ? "Nothing was found." :
      all ? `${count} found.${also}` : `No section has all of these words. ${count} with some of them.`;
    list.append(...found.slice(0, limit).map(item));
    if (found.length > limit) box.append(more(count, () => {
      const from = list.children.length;
      list.append(...found.slice(from, from + limit).map(item));
      list.children[from].querySelector("a").focus();
      if (list.children.length === found.length) box.querySelector(".search-more").remove();
    }));
  }

  function results(name) {
    return make("div", {class: "search-results"}, make("p", {role: "status", class: "search-count"}),
      make("ol", {"aria-label": name}));
  }

  // Arrows go from the field through the results and back.
  function arrows(scope, input) {
    scope.addEventListener("keydown", event => {
      const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const stops = [input, ...scope.querySelectorAll(".search-results a, .search-results button")];
      const at = stops.indexOf(document.activeElement);
      if (at < 0) return;
      event.preventDefault();
      stops[Math.min(Math.max(at + step, 0), stops.length - 1)].focus();
    });
  }

  function soon(act) {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(act, 80);
    };
  }

  function dialog() {
    const box = document.getElementById("pst-search-dialog");
    if (!box) return;
    const input = box.querySelector("input"), form = input.form, list = results("Sections found");
    box.setAttribute("aria-label", "Search");
    box.append(list);
    const all = count => make("p", {class: "search-more"},
      make("a", {href: `${form.action}?q=${encodeURIComponent(input.value)}`}, `All ${count}`));
    const look = soon(() => show(input.value, list, 6, all));
    input.addEventListener("input", look);
    arrows(box, input);
    list.addEventListener("click", event => {
      if (event.target.closest("a")) box.close();  // the result may be on this very page
    });
    look();
  }

  function page() {
    const main = document.querySelector(".search-page");
    if (!main) return;
    const input = main.querySelector("input[name=q]"), list = results("Sections found");
    main.querySelector("#search-results").append(list);
    const more = (count, act) => {
      const button = make("button", {type: "button", class: "btn search-more"}, "Show more");
      button.addEventListener("click", act);
      return button;
    };
    const look = () => {
      show(input.value, list, 20, more);
      const url = new URL(location);
      if (input.value) url.searchParams.set("q", input.value);
      else url.searchParams.delete("q");
      history.replaceState(history.state, "", url);
    };
    input.value = new URLSearchParams(location.search).get("q") || "";
    input.addEventListener("input", soon(look));
    input.form.addEventListener("submit", event => {
      event.preventDefault();
      look();
    });
    arrows(main, input);
    look();
    if (!location.hash) input.focus();
  }

  // ---------------------------------------------------------------- marks on a page

  const UNMARKED = "script, style, svg, math, mjx-container, .math, nav, button, noscript, .headerlink, details .cell_input";

  function markPage() {
    const words = new URLSearchParams(location.search).get("highlight") || "";
    const marks = words.split(/\s+/).map(keys).filter(run => run.length);
    const article = document.querySelector("article.bd-article");
    if (!marks.length || !article || article.matches(".search-page")) return;
    const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT, node =>
      node.parentElement.closest(UNMARKED) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const node of texts) {
      if (!places(node.data, marks).length) continue;
      const text = marked(node.data, marks);
      text.querySelectorAll("mark").forEach(mark => mark.classList.add("search-hit"));
      node.replaceWith(text);
    }
    for (const image of article.querySelectorAll("img[alt]")) {
      if (places(image.alt, marks).length) image.classList.add("search-hit");
    }
    bar(article);
    land(article);
  }

  // The first hit of the section that stands open; one in a fold if there is no other, and then the fold opens.
  function land(article) {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const parts = [target || article];
    if (target?.tagName === "DT") {  // a term of the glossary goes on to its definition
      while (parts.at(-1).tagName === "DT" && parts.at(-1).nextElementSibling) parts.push(parts.at(-1).nextElementSibling);
    }
    const hits = parts.flatMap(part => [...part.querySelectorAll(".search-hit")]);
    const closed = hit => hit.closest("details:not([open])") && !hit.closest("summary");
    const solution = new URLSearchParams(location.search).get("in") === "solution";
    const hit = (solution && hits.find(closed)) || hits.find(mark => !closed(mark)) || hits[0];
    for (let fold = hit?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    const goal = hit || target;
    if (!goal) return;
    if (hit) hit.classList.add("search-landed");
    let moved = false;  // a reader who scrolls is not pulled back
    const stay = () => { moved = true; };
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      addEventListener(kind, stay, {once: true, passive: true});
    }
    const scroll = () => { if (!moved && goal.isConnected) goal.scrollIntoView({block: "center", behavior: "instant"}); };
    scroll();
    addEventListener("load", scroll, {once: true});
    if (window.MathJax?.startup?.promise) MathJax.startup.promise.then(scroll);  // formulas have changed the height
  }

  function clear() {
    document.querySelector(".search-bar")?.remove();
    document.querySelectorAll("img.search-hit").forEach(image => image.classList.remove("search-hit", "search-landed"));
    document.querySelectorAll("mark.search-hit").forEach(mark => {
      const parent = mark.parentNode;
      mark.replaceWith(...mark.childNodes);
      parent.normalize();
    });
    const url = new URL(location);
    url.searchParams.delete("highlight");
    history.replaceState(history.state, "", url);
    removeEventListener("keydown", escape);
  }

  function escape(event) {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) clear();
  }

  function bar(article) {
    const count = article.querySelectorAll(".search-hit").length;
    const button = make("button", {type: "button", class: "btn"}, "Clear marks");
    button.addEventListener("click", clear);
    document.body.append(make("div", {class: "search-bar", role: "region", "aria-label": "Search"},
      make("span", {role: "status"}, count === 1 ? "1 hit" : `${count} hits`), button));
    addEventListener("keydown", escape);
  }

  function use(index) {
    engine = build(index);
  }

  async function start() {
    use(await unpack(window.bookSearchIndex));
    dialog();
    page();
  }

  // What a query finds, for tests: sections with where they lead and what would be shown of them.
  const find = (query, limit = 10) => search(query).found.slice(0, limit).map(result => ({
    ...result.section, address: engine.pages[result.section.page][0], chapter: engine.pages[result.section.page][2],
    score: result.score, href: address(result), excerpt: excerpt(result.section.text, result.marks),
  }));

  window.bookSearch = {start, use, find};

  markPage();
})();
