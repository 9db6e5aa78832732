// Numbers are E.164; people read them in groups.

/** @type {[RegExp, number[]][]} */
const GROUPS = [
  [/^\+1(?=\d{10}$)/, [3, 3, 4]],
  [/^\+44(?=2\d{9}$)/, [2, 4, 4]],
  [/^\+44(?=\d{10}$)/, [4, 6]],
  [/^\+61(?=4\d{8}$)/, [3, 3, 3]],
  [/^\+61(?=\d{9}$)/, [1, 4, 4]],
];

/** `+44 20 7183 8750` @param {string | null | undefined} number */
export function phone(number) {
  if (!number) return 'Withheld';
  for (const [code, sizes] of GROUPS) {
    const match = code.exec(number);
    if (!match) continue;
    let rest = number.slice(match[0].length);
    const groups = sizes.map((size) => {
      const group = rest.slice(0, size);
      rest = rest.slice(size);
      return group;
    });
    return [match[0], ...groups].join(' ');
  }
  return number;
}
