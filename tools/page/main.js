// SPDX-License-Identifier: BSD-2-Clause
// The page: the recording, the run that is shown, and what the reader chose.

const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const state = { run: null, from: 0, to: 0, rss: false, sort: 'live', descending: true,
	search: '', all: false };
let redrawRange = () => {};

function endOf(exit) {
	if (!exit)
		return '';
	if (exit.oom_killed)
		return ', killed by the OOM killer';
	return 'signal' in exit ? `, killed by signal ${exit.signal}`
		: `, exited with status ${exit.code}`;
}

const nameOf = raw => `${tame(raw.command)} (pid ${raw.pid})`;

function describe(run) {
	const { raw } = run;
	const name = raw.role === 'all' ? `${nameOf(raw)} and its workers` : nameOf(raw);
	const snapshots = `${count(raw.reports)} snapshot${raw.reports === 1 ? '' : 's'}`;
	const over = run.count > 1 ? ` over ${span(lasted(run))}` : '';
	byId('title').textContent = name;
	document.title = `${name}: memhook report`;
	byId('about').textContent = `${date(run.times[0])}, ${snapshots}${over}`
		+ `${endOf(raw.exit)}. Owners by ${raw.by}. ${tame(data.file)}`;
	byId('bridge').closest('section').hidden = raw.role === 'all';
}

function remark(run) {
	const remarks = [], { raw } = run;
	if (raw.stride > 1)
		remarks.push(`Of the snapshots every ${count(raw.stride)}th is drawn.`);
	const listed = data.runs.filter(r => r.role === 'worker').length;
	if (raw.workers && raw.role !== 'worker')
		remarks.push(raw.role === 'all' ? 'A process that has ended holds nothing.'
			: `Its ${count(raw.workers)} other processes can be chosen below.`);
	if (listed < d3.sum(data.runs.filter(r => r.role === 'main'), r => r.workers))
		remarks.push('Of a run\u2019s processes those that held most are listed.');
	if (data.spoiled)
		remarks.push(`${count(data.spoiled)} spoiled places of it were left out.`);
	if (run.raw.moments.some(m => !m.consistent))
		remarks.push('Taken while it ran: each snapshot is of about one moment.');
	byId('remarks').textContent = remarks.join(' ');
	byId('remarks').hidden = !remarks.length;
}

function drawMoment() {
	const { run } = state;
	const [least, most] = d3.extent(run.total);
	const highest = least < most && run.total[state.to] === most;
	redrawRange();
	for (const which of ['from', 'to']) {
		const m = state[which], text = `${span(run.seconds[m])} (${clock(run.times[m])})`;
		byId(which).value = m;
		byId(which).setAttribute('aria-valuetext', text);
		byId(`${which}-text`).textContent = text;
	}
	for (const note of document.querySelectorAll('.moment'))
		note.textContent = `At ${span(run.seconds[state.to])}`
			+ `${highest ? ', when it held most' : ''}: ${bytes(run.total[state.to])} live`
			+ ` in ${count(run.blocks[state.to])} blocks.`;
	drawLegend(run, state);
	if (run.count > 1)
		drawGrowth(run, state);
	drawTreemap(run, state);
	drawTable(run, state, sortBy);
	drawBridge(run, state);
}

function sortBy(column) {
	state.descending = state.sort === column.key ? !state.descending : !!column.text;
	state.sort = column.key;
	drawTable(state.run, state, sortBy);
	document.querySelector(`#owners button[data-key="${column.key}"]`).focus();
}

function choose(from, to) {
	if (from === state.from && to === state.to)
		return;
	state.from = from;
	state.to = to;
	drawMoment();
}

function drawAll() {
	if (state.run.count > 1)
		redrawRange = drawChart(state.run, state, choose);
	drawMoment();
}

// At its end a program holds next to nothing: then the moment when it held most.
function show(index) {
	const run = makeRun(data.runs[index]), one = run.count < 2;
	state.run = run;
	state.from = 0;
	state.to = run.raw.exit ? run.total.indexOf(d3.max(run.total)) : run.count - 1;
	redrawRange = () => {};
	byId('time').hidden = byId('growth').hidden = one;
	byId('rss').closest('p').hidden = !run.rss.some(n => n);
	for (const which of ['from', 'to'])
		byId(which).max = run.count - 1;
	describe(run);
	remark(run);
	drawAll();
}

// What is shown at first: the last run, all of its processes.
function lastRun() {
	const main = data.runs.map(run => run.role).lastIndexOf('main');
	return main > 0 && data.runs[main - 1].role === 'all' ? main - 1 : main;
}

function runTitle(run) {
	if (run.role === 'worker')
		return `\u2003${nameOf(run)}`;
	const what = run.role === 'all' ? `all ${count(run.workers + 1)} processes of ` : '';
	return `${what}${nameOf(run)}, ${date(run.moments[0].time)}`;
}

function offerRuns() {
	const select = byId('run');
	data.runs.forEach((run, i) => {
		const option = element('option', '', runTitle(run));
		option.value = i;
		select.append(option);
	});
	select.value = lastRun();
	byId('choose').hidden = data.runs.length < 2;
	select.addEventListener('change', () => show(Number(select.value)));
}

function listenToControls() {
	const from = byId('from'), to = byId('to');
	from.addEventListener('input', () => choose(Number(from.value),
		Math.max(Number(from.value), state.to)));
	to.addEventListener('input', () => choose(Math.min(state.from, Number(to.value)),
		Number(to.value)));
	byId('rss').addEventListener('change', event => {
		state.rss = event.target.checked;
		drawAll();
	});
	byId('search').addEventListener('input', event => {
		state.search = event.target.value;
		drawTable(state.run, state, sortBy);
	});
	byId('all').addEventListener('click', () => {
		state.all = true;
		drawTable(state.run, state, sortBy);
	});
	let width = innerWidth;
	addEventListener('resize', () => {
		if (width !== innerWidth)
			drawAll();
		width = innerWidth;
	});
	// Paper has a width of its own.
	addEventListener('beforeprint', drawAll);
	addEventListener('afterprint', drawAll);
}

document.querySelector('main').hidden = false;
offerRuns();
listenToControls();
show(lastRun());
