// SPDX-License-Identifier: BSD-2-Clause
// From live bytes to resident memory: parts that add up to it.

const PARTS = [
	['cookie_bytes', 'cookies, 16 bytes a block'],
	['allocator_rounding_bytes', 'rounding to size classes'],
	['allocator_cached_bytes', 'freed blocks kept ready'],
	['allocator_quarantine_bytes', 'freed blocks in quarantine'],
	['allocator_slack_bytes', 'free space beside blocks'],
	['allocator_dirty_bytes', 'free pages kept (dirty)'],
	['allocator_table_bytes', 'the allocator\u2019s tables'],
	['allocator_unsplit_bytes', 'the allocator\u2019s, not told apart'],
	['allocator_not_resident_bytes', 'of these not resident'],
	['memhook_bytes', 'memhook itself'],
	['stack_bytes', 'stacks'],
	['file_bytes', 'files: code and data'],
	['shared_bytes', 'shared memory'],
	['anonymous_bytes', 'other anonymous memory'],
	['other_bytes', 'other'],
];

const isNumber = n => typeof n === 'number' && Number.isFinite(n);

// With what the process says of its parts; the last one is what they leave.
function bridgeParts(live, p) {
	const parts = [['live', live]];
	if (!('other_bytes' in p) && p.allocator_time_ms) {
		parts.push(['cookies, 16 bytes a block', p.cookie_bytes]);
		parts.push(['size classes, cached blocks',
			p.allocator_allocated_bytes - live - p.cookie_bytes]);
		parts.push(['the allocator\u2019s pages and caches',
			p.allocator_resident_bytes - p.allocator_allocated_bytes]);
		parts.push(['memhook itself', p.memhook_bytes]);
	} else {
		for (const [key, label] of PARTS)
			if (isNumber(p[key]))
				parts.push([label, p[key]]);
	}
	const known = parts.filter(part => isNumber(part[1]));
	const rest = p.rss_bytes - d3.sum(known, part => part[1]);
	if (rest)
		known.push(['other_bytes' in p ? 'not explained'
			: 'not malloc: code, stacks and so on', rest]);
	return known.filter(part => part[1]);
}

// The allocator's numbers come from the process itself, now and then.
function tellAge(box, p, now) {
	const age = (now - p.allocator_time_ms) / 1000;
	if (!p.allocator_time_ms)
		box.append(element('p', 'note',
			'The allocator\u2019s own numbers were not published yet.'));
	else if (age > 1)
		box.append(element('p', 'note',
			`The allocator\u2019s numbers are ${span(age)} old:`
			+ ' its parts are off by what changed since.'));
}

function drawBridge(run, state) {
	const box = document.getElementById('bridge'), p = run.process[state.to];
	const rows = [];
	let sum = 0;
	box.textContent = '';
	if (!isNumber(p.rss_bytes) || !p.rss_bytes) {
		box.append(element('p', 'note',
			'Resident memory is not known at this moment.'));
	} else {
		const parts = bridgeParts(run.total[state.to], p);
		const sums = parts.map((part, i) => d3.sum(parts.slice(0, i + 1), q => q[1]));
		const most = Math.max(p.rss_bytes, ...sums);
		for (const [label, n] of parts) {
			rows.push(barRow(label, n < 0 ? 'var(--less)' : 'var(--part)',
				Math.max(0, sum) / most, Math.max(0, sum + n) / most, bytes(n)));
			sum += n;
		}
		rows.push(barRow('= resident (RSS)', 'var(--whole)', 0, p.rss_bytes / most,
			bytes(p.rss_bytes), 'whole'));
		box.append(...rows);
		tellAge(box, p, run.times[state.to]);
	}
	drawNumbers(p);
}

function row(name, value) {
	const tr = element('tr'), th = element('th', 'name', name);
	th.scope = 'row';
	tr.append(th, element('td', 'number', value));
	return tr;
}

function numberRow(key, value) {
	let text = String(value);
	if (isNumber(value) && key.endsWith('time_ms'))
		text = value ? new Date(value).toISOString() : 'never';
	else if (isNumber(value))
		text = key.endsWith('_bytes') ? bytes(value) : count(value);
	return row(tame(key).replace(/_/g, ' '), text);
}

// Whatever a later memhook adds is listed as well.
function drawNumbers(p) {
	const rows = [];
	for (const [key, value] of Object.entries(p)) {
		if (!Array.isArray(value)) {
			rows.push(numberRow(key, value));
			continue;
		}
		for (const one of value)
			if (one && typeof one === 'object')
				rows.push(row(tame(`${key}: ${one.name}`),
					isNumber(one.rss_bytes) ? bytes(one.rss_bytes) : ''));
	}
	document.querySelector('#numbers tbody').replaceChildren(...rows);
}
