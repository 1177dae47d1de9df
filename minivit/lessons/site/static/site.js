// From the disk a browser may not read other pages, so the search shows titles without excerpts there.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

addEventListener("DOMContentLoaded", () => {
    for (const demo of document.querySelectorAll("iframe.demo")) {
        // Demos are made for a screen of 1280 pixels and for a narrow one of up to 800; in between they become smaller.
        new ResizeObserver(([column]) => {
            const width = column.contentRect.width;
            demo.style.zoom = width > 800 ? Math.min(1, width / 1280) : 1;
        }).observe(demo.closest("section"));

        // A demo follows what the system prefers; the reader may have chosen otherwise for the site.
        const tell = () => demo.contentWindow.postMessage(getComputedStyle(document.body).colorScheme, "*");
        demo.addEventListener("load", tell);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
        new MutationObserver(tell).observe(document.body, {attributeFilter: ["data-theme"]});
        tell();
    }
});
