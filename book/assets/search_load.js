// Loads the search when it is used: on its own page, when its field is entered, or where an address asks for marks.
{
  const {src, dataset} = document.currentScript;
  const loading = {};
  const load = (name, version) => loading[name] ||= new Promise(resolve => {
    const script = document.createElement("script");
    script.src = `${new URL(name, src)}?v=${version}`;
    script.onload = resolve;
    document.head.append(script);
  });
  const script = () => load("search.js", dataset.search);
  const search = () => loading.all ||= Promise.all([script(), load("search_index.js", dataset.index)])
    .then(() => bookSearch.start());
  if (document.querySelector(".search-page")) search();
  else if (new URLSearchParams(location.search).has("highlight")) script();
  document.addEventListener("focusin", event => {
    if (event.target.closest("form.bd-search")) search();
  });
}
