// SPDX-License-Identifier: BSD-2-Clause
// What grew, and the table of all owners.

const ROWS = 30; // before "show all"

const titleOf = owner => (owner.others ? `${count(owner.others)} others` : owner.name);
const between = (owner, key, state) => owner[key][state.to] - owner[key][state.from];

const COLUMNS = [
	{ key: 'name', title: 'Owner', value: o => o.name },
	{ key: 'kind', title: 'Kind', value: o => o.kind, wide: true },
	{ key: 'live', title: 'Live', value: (o, s) => o.live[s.to], text: bytes },
	{ key: 'change', title: 'Change', value: (o, s) => between(o, 'live', s), text: bytes,
		signed: true, two: true },
	{ key: 'blocks', title: 'Blocks', value: (o, s) => o.blocks[s.to], text: count,
		middle: true },
	{ key: 'dblocks', title: 'Blocks \u00b1', value: (o, s) => between(o, 'blocks', s),
		text: count, signed: true, two: true, wide: true, label: 'Change of blocks' },
	{ key: 'bytes', title: 'Allocated', value: (o, s) => between(o, 'bytes', s), text: bytes,
		two: true, wide: true, label: 'Allocated between the two moments' },
	{ key: 'calls', title: 'Calls', value: (o, s) => between(o, 'calls', s), text: count,
		two: true, wide: true, label: 'Allocations between the two moments' },
	{ key: 'peak', title: 'Peak', value: o => o.peak, text: bytes, wide: true,
		label: 'Peak at any time' },
];

const classOf = c => (c.text ? 'number' : '') + (c.wide ? ' wide' : '')
	+ (c.middle ? ' middle' : '');
const columnsOf = run => COLUMNS.filter(c => run.count > 1 || !c.two);

function byColumn(column, state) {
	const direction = state.descending ? -1 : 1;
	return (a, b) => {
		const x = column.value(a, state), y = column.value(b, state);
		return direction * (typeof x === 'string' ? x.localeCompare(y) : x - y)
			|| b.live[state.to] - a.live[state.to];
	};
}

function drawHead(run, state, sorted) {
	const row = element('tr');
	for (const column of columnsOf(run)) {
		const th = element('th', classOf(column));
		const button = element('button', '', column.title);
		const active = state.sort === column.key;
		th.scope = 'col';
		th.setAttribute('aria-sort', !active ? 'none' : state.descending ? 'descending'
			: 'ascending');
		button.type = 'button';
		if (column.label) {
			button.title = column.label;
			button.setAttribute('aria-label', column.label);
		}
		button.append(element('span', 'arrow',
			!active ? '' : state.descending ? '\u25be' : '\u25b4'));
		button.addEventListener('click', () => sorted(column));
		button.dataset.key = column.key;
		th.append(button);
		row.append(th);
	}
	document.querySelector('#owners thead').replaceChildren(row);
}

function nameCell(owner) {
	const th = element('th', 'name'), swatch = element('span', 'swatch');
	const label = element('span'), row = element('span', 'named');
	th.scope = 'row';
	swatch.style.background = owner.color;
	label.append(element('span', 'text', titleOf(owner)));
	if (owner.retired)
		label.append(element('span', 'note', ' (ended)'));
	row.append(swatch, label);
	th.append(row);
	th.title = [owner.name, owner.place, owner.object].filter(t => t).join('\n');
	return th;
}

function bodyRow(owner, columns, state) {
	const row = element('tr');
	row.append(nameCell(owner));
	for (const column of columns.slice(1)) {
		const value = column.value(owner, state);
		const text = column.signed ? signed(value, column.text)
			: column.text ? column.text(value) : value;
		row.append(element('td', classOf(column), text));
	}
	return row;
}

function drawTable(run, state, sorted) {
	const wanted = state.search.toLowerCase(), columns = columnsOf(run);
	const has = o => [o.name, o.place, o.object, o.kind]
		.some(text => text.toLowerCase().includes(wanted));
	const column = columns.find(c => c.key === state.sort) || columns[2];
	const rows = run.owners.filter(has).sort(byColumn(column, state));
	const shown = state.all ? rows : rows.slice(0, ROWS);
	const more = document.getElementById('all');
	drawHead(run, state, sorted);
	document.querySelector('#owners tbody')
		.replaceChildren(...shown.map(o => bodyRow(o, columns, state)));
	document.getElementById('found').textContent =
		wanted ? `${count(rows.length)} of ${count(run.owners.length)}` : '';
	more.hidden = shown.length === rows.length;
	more.textContent = `Show all ${count(rows.length)} owners`;
}

function drawGrowth(run, state) {
	const box = document.getElementById('grew'), change = o => between(o, 'live', state);
	const moved = run.owners.filter(change).sort((a, b) => change(b) - change(a));
	const shown = moved.length <= 14 ? moved : [...moved.slice(0, 10), ...moved.slice(-4)];
	const low = Math.min(0, ...shown.map(change)), high = Math.max(0, ...shown.map(change));
	const at = v => (v - low) / (high - low);
	document.getElementById('growth-about').textContent =
		`From ${span(run.seconds[state.from])} to ${span(run.seconds[state.to])}:`
		+ ` live bytes ${signed(run.total[state.to] - run.total[state.from], bytes)}, blocks`
		+ ` ${signed(run.blocks[state.to] - run.blocks[state.from], count)}.`
		+ (shown.length < moved.length
			? ` ${count(moved.length)} owners changed; these changed most.` : '');
	box.replaceChildren(...shown.map(o => barRow(
		titleOf(o), o.color, at(0), at(change(o)),
		signed(change(o), bytes), 'signed')));
	if (!shown.length)
		box.append(element('p', 'note', 'No owner holds more or less than before.'));
}
