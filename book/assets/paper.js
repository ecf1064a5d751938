// Paper is white: a page that is dark on the screen is printed as the light one. And all of it is printed: no image waits
// until it is scrolled to.
{
  const root = document.documentElement, paper = matchMedia("print");
  let onScreen = null, printing = false;

  const settle = () => {
    if (printing || paper.matches) {
      for (const image of document.querySelectorAll("img[loading]")) image.loading = "eager";
      if (onScreen === null && root.dataset.theme) {
        onScreen = root.dataset.theme;
        root.dataset.theme = "light";
      }
    } else if (onScreen !== null) {
      root.dataset.theme = onScreen;
      onScreen = null;
    }
  };
  addEventListener("beforeprint", () => { printing = true; settle(); });
  addEventListener("afterprint", () => { printing = false; settle(); });
  paper.addEventListener("change", settle);
  settle();
}
