/** Names of voices as people read them. Pure. */

/**
 * Languages by the first letter of a name such as `zf_xiaobei`, whose second letter tells a woman from a man. Source: the
 * naming of Kokoro's voices.
 */
const LANGUAGES = Object.freeze({
  a: "American English",
  b: "British English",
  e: "Spanish",
  f: "French",
  h: "Hindi",
  i: "Italian",
  j: "Japanese",
  p: "Portuguese",
  z: "Chinese",
});

/**
 * @param {string[]} names
 * @returns {Map<string, {name: string, label: string}[]>} by the language that their names tell, in order; "Voices" for
 *   those that tell none
 */
export function grouped(names) {
  const groups = new Map();
  for (const name of names) {
    const told = /^([a-z])([fm])_(.+)$/.exec(name);
    const group = (told && LANGUAGES[told[1]]) ?? "Voices";
    const label = group === "Voices" ? capital(name) : `${capital(told[3])}${told[2] === "f" ? ", female" : ", male"}`;
    groups.set(group, [...(groups.get(group) ?? []), { name, label }]);
  }
  return groups;
}

function capital(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}
