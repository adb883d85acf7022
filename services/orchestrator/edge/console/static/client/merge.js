/** Settings over settings: objects are merged field by field, everything else (also null and lists) is replaced. */

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * @param {object} base
 * @param {object} over
 * @returns {object} a new object
 */
export function merge(base, over) {
  const merged = { ...base };
  for (const [name, value] of Object.entries(over)) {
    // What ends a turn is one choice: fields of another kind of it must not stay.
    const joins = isObject(value) && isObject(merged[name]) && value.type === merged[name].type;
    merged[name] = joins ? merge(merged[name], value) : value;
  }
  return merged;
}
