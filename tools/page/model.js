// SPDX-License-Identifier: BSD-2-Clause
// What was recorded.  Names in it are anybody's text: they go into the page as
// text (textContent) only.

const KEYS = ['live', 'blocks', 'bytes', 'calls'];
const TOP = 8; // owners with a colour of their own

// What would turn or hide the text around it is shown as a mark.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const tame = text => String(text).replace(UNSEEN, '\ufffd');

// [moment, value, moment, value ...] to a value for each moment.
function expand(steps, count) {
	const all = new Array(count).fill(0);
	for (let i = 0; i < steps.length; i += 2)
		all.fill(steps[i + 1], steps[i], i + 2 < steps.length ? steps[i + 2] : count);
	return all;
}

function makeOwner(raw, count, index) {
	const owner = {
		name: tame(raw.name) || '(no name)',
		kind: raw.kind || '',
		place: tame(raw.place || ''),
		object: tame(raw.object || ''),
		retired: !!raw.retired,
		others: raw.others || 0,
		peak: raw.peak,
		color: !raw.others && index < TOP ? `var(--c${index})` : 'var(--other)',
	};
	for (const key of KEYS)
		owner[key] = expand(raw[key], count);
	return owner;
}

function sum(owners, key, count) {
	const all = new Array(count).fill(0);
	for (const owner of owners)
		for (let m = 0; m < count; m++)
			all[m] += owner[key][m];
	return all;
}

// The bands of the chart: the greatest owners, and the others as one.
function makeBands(owners, count) {
	const bands = owners.filter((o, i) => i < TOP && !o.others);
	const rest = owners.slice(bands.length);
	const number = rest.reduce((n, o) => n + (o.others || 1), 0);
	if (rest.length)
		bands.push({
			name: number === 1 ? rest[0].name : `${number} others`,
			color: 'var(--other)',
			live: sum(rest, 'live', count),
		});
	return bands;
}

function makeRun(raw) {
	const count = raw.moments.length;
	const owners = raw.owners.map((o, i) => makeOwner(o, count, i));
	return {
		raw, count, owners,
		bands: makeBands(owners, count),
		total: sum(owners, 'live', count),
		blocks: sum(owners, 'blocks', count),
		times: raw.moments.map(m => m.time),
		seconds: raw.moments.map(m => (m.time - raw.start) / 1000),
		process: raw.moments.map(m => m.process || {}),
		rss: raw.moments.map(m => (m.process && m.process.rss_bytes) || 0),
	};
}

const lasted = run => run.seconds[run.count - 1] - run.seconds[0];
