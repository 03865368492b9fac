// Fills in the versions that lie beside this one: versions.json in the folder above the site (tools/site.py writes it).
// A site that stands alone, or a browser without JavaScript, shows only its own version.
document.addEventListener("DOMContentLoaded", async () => {
  const place = document.querySelector(".versions");
  if (!place) return;
  const above = new URL("../", new URL(place.dataset.root || "./", location.href));
  let versions;
  try {
    const answer = await fetch(new URL("versions.json", above));
    if (!answer.ok) return;
    versions = await answer.json();
  } catch {
    return;
  }
  if (!Array.isArray(versions) || !versions.includes(place.dataset.version)) return;
  const select = document.createElement("select");
  select.setAttribute("aria-label", "Version of the documentation");
  for (const version of versions) {
    select.add(new Option(`Version ${version}`, version, false, version === place.dataset.version));
  }
  select.addEventListener("change", () => {
    location.href = new URL(`${encodeURIComponent(select.value)}/`, above).href;
  });
  place.replaceChildren(select);
});
