// SPDX-License-Identifier: BSD-2-Clause
// Numbers as people read them, and the elements that they stand in.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const MINUS = '\u2212', SPACE = '\u00a0';

function unitOf(bytes) {
	let unit = 0;
	for (let n = Math.abs(bytes); n >= 1024 && unit < UNITS.length - 1; n /= 1024)
		unit++;
	return unit;
}

const count = n => (n < 0 ? MINUS : '') + Math.abs(n).toLocaleString('en-US');

function bytes(n) {
	const unit = unitOf(n), value = Math.abs(n) / 1024 ** unit;
	return (n < 0 ? MINUS : '') + (unit ? value.toFixed(1) : value) + SPACE + UNITS[unit];
}

const signed = (n, text) => (n > 0 ? '+' : '') + text(n);

// Round values of the unit that the greatest is read in: 0, 2 MiB, 4 MiB.
function byteTicks(most, wanted) {
	const unit = unitOf(most), size = 1024 ** unit;
	let values = d3.ticks(0, most / size, wanted);
	if (!unit)
		values = values.filter(Number.isInteger);
	return values.map(v => ({ value: v * size, text: v ? `${v} ${UNITS[unit]}` : '0' }));
}

function span(seconds, step = 0.1) {
	const fine = step < 0.1 ? 100 : 10, s = Math.round(seconds * fine) / fine;
	if (s < 60)
		return `${s}${SPACE}s`;
	const two = n => String(Math.floor(n)).padStart(2, '0');
	const h = Math.floor(s / 3600), m = s % 3600 / 60;
	return h ? `${h}:${two(m)}:${two(s % 60)}` : `${Math.floor(m)}:${two(s % 60)}`;
}

function secondTicks(from, to, wanted) {
	const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600,
		900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800];
	const step = steps.find(s => (to - from) / s <= wanted) || (to - from) / wanted;
	const first = Math.ceil(from / step), ticks = [];
	for (let i = first; i * step <= to; i++)
		ticks.push(i * step);
	return ticks.map(s => ({ value: s, text: span(s, step) }));
}

const date = ms => new Date(ms).toLocaleString('en-GB');
const clock = ms => new Date(ms).toLocaleTimeString('en-GB');

function element(name, className, text) {
	const e = document.createElement(name);
	if (className)
		e.className = className;
	if (text !== undefined)
		e.textContent = text;
	return e;
}

// A bar in a row of its own: from and to are shares of the width, 0 to 1.
function barRow(name, color, from, to, text, className) {
	const row = element('div', `bar-row ${className || ''}`);
	const track = element('span', 'track'), bar = element('span', 'bar');
	bar.style.left = `${100 * Math.min(from, to)}%`;
	bar.style.width = `${100 * Math.abs(to - from)}%`;
	bar.style.background = color;
	track.setAttribute('aria-hidden', 'true');
	track.append(bar);
	const label = element('span', 'name', name);
	label.title = name;
	row.append(label, track, element('span', 'value', text));
	return row;
}
