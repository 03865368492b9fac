// In a table, a long name may go on in the next line after an underscore; what is copied stays as it is.
document.addEventListener("DOMContentLoaded", () => {
  for (const name of document.querySelectorAll("td code .pre")) {
    const parts = name.textContent.split(/(?<=_)/);
    name.replaceChildren(...parts.flatMap((part, number) => (number ? [document.createElement("wbr"), part] : [part])));
  }
});
