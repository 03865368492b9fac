// What the page keeps between visits, in IndexedDB: the key pair itself, which nobody can export, and the tokens.
const NAME = "kept";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("spa", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(NAME);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function run(mode, act) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const request = act(database.transaction(NAME, mode).objectStore(NAME));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
}

export const load = (name) => run("readonly", (store) => store.get(name));
export const keep = (name, value) => run("readwrite", (store) => store.put(value, name));
export const forget = (name) => run("readwrite", (store) => store.delete(name));
