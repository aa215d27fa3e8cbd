// SPDX-License-Identifier: BSD-2-Clause
// Live bytes over time, and the two moments.

const MARGIN = { top: 8, right: 12, bottom: 30, left: 64 };

function chartScales(run, width, height, withRss) {
	const most = Math.max(d3.max(run.total), withRss ? d3.max(run.rss) : 0, 1);
	return {
		x: d3.scaleLinear().domain(d3.extent(run.seconds))
			.range([MARGIN.left, width - MARGIN.right]),
		y: d3.scaleLinear().domain([0, most * 1.04])
			.range([height - MARGIN.bottom, MARGIN.top]),
		most,
	};
}

function drawAxes(svg, scales, width, height) {
	const { x, y } = scales;
	const axes = svg.append('g').attr('class', 'axes');
	const xAt = height - MARGIN.bottom;
	for (const tick of byteTicks(scales.most, height / 55)) {
		axes.append('line').attr('class', 'grid').attr('x1', MARGIN.left)
			.attr('x2', width - MARGIN.right).attr('y1', y(tick.value))
			.attr('y2', y(tick.value));
		axes.append('text').attr('x', MARGIN.left - 8).attr('y', y(tick.value))
			.attr('dy', '0.32em').attr('text-anchor', 'end').text(tick.text);
	}
	for (const tick of secondTicks(...x.domain(), Math.max(2, width / 80))) {
		axes.append('line').attr('x1', x(tick.value)).attr('x2', x(tick.value))
			.attr('y1', xAt).attr('y2', xAt + 5);
		axes.append('text').attr('x', x(tick.value)).attr('y', xAt + 19)
			.attr('text-anchor', 'middle').text(tick.text);
	}
	axes.append('line').attr('x1', MARGIN.left).attr('x2', width - MARGIN.right)
		.attr('y1', xAt).attr('y2', xAt);
}

function drawBands(svg, run, scales) {
	const moments = d3.range(run.count);
	const layers = d3.stack().keys(d3.range(run.bands.length))
		.value((m, band) => run.bands[band].live[m])(moments);
	const area = d3.area().x((d, m) => scales.x(run.seconds[m]))
		.y0(d => scales.y(d[0])).y1(d => scales.y(d[1]));
	layers.forEach((layer, i) => {
		const path = svg.append('path').attr('class', 'band').attr('d', area(layer));
		path.node().style.fill = run.bands[i].color;
	});
	return layers;
}

function drawRss(svg, run, scales) {
	const line = d3.line().x((d, m) => scales.x(run.seconds[m])).y(d => scales.y(d))
		.defined(d => d > 0);
	svg.append('path').attr('class', 'rss').attr('d', line(run.rss));
}

// The veil over what is not between the two moments, and their lines.
function drawRange(svg, run, scales, state, width, height) {
	const [left, right] = scales.x.range(), range = svg.append('g').attr('class', 'range');
	const a = scales.x(run.seconds[state.from]), b = scales.x(run.seconds[state.to]);
	const bottom = height - MARGIN.bottom;
	for (const [from, to] of [[left, a], [b, right]])
		range.append('rect').attr('class', 'veil').attr('x', from).attr('y', MARGIN.top)
			.attr('width', Math.max(0, to - from)).attr('height', bottom - MARGIN.top);
	for (const at of [a, b]) {
		range.append('line').attr('x1', at).attr('x2', at).attr('y1', MARGIN.top)
			.attr('y2', bottom);
		range.append('rect').attr('class', 'grip').attr('x', at - 4).attr('y', bottom - 9)
			.attr('width', 8).attr('height', 18).attr('rx', 2);
	}
}

const nearest = (run, x, position) => {
	const s = x.invert(position), i = d3.bisector(d => d).left(run.seconds, s);
	if (i <= 0)
		return 0;
	if (i >= run.count)
		return run.count - 1;
	return s - run.seconds[i - 1] < run.seconds[i] - s ? i - 1 : i;
};

function readout(run, layers, scales, m, y) {
	const at = scales.y.invert(y);
	const layer = layers.findIndex(l => at >= l[m][0] && at < l[m][1]);
	const band = run.bands[layer];
	const owner = band ? `; ${band.name}: ${bytes(band.live[m])}` : '';
	const rss = run.rss[m] ? `, ${bytes(run.rss[m])} resident` : '';
	return `${span(run.seconds[m])} (${clock(run.times[m])}): ${bytes(run.total[m])} live`
		+ `${rss}${owner}`;
}

// Near a line that line is dragged, elsewhere a new range begins.
function listen(node, run, scales, layers, state, changed) {
	const position = event => {
		const box = node.getBoundingClientRect();
		return [event.clientX - box.left, event.clientY - box.top];
	};
	let fixed = -1;
	node.addEventListener('pointerdown', event => {
		const [px] = position(event), m = nearest(run, scales.x, px);
		const near = i => Math.abs(scales.x(run.seconds[i]) - px) < 10;
		if (event.button)
			return;
		fixed = near(state.to) ? state.from : near(state.from) ? state.to : m;
		node.setPointerCapture(event.pointerId);
	});
	node.addEventListener('pointermove', event => {
		const [px, py] = position(event), m = nearest(run, scales.x, px);
		document.getElementById('readout').textContent =
			readout(run, layers, scales, m, py);
		if (fixed >= 0 && m !== fixed)
			changed(Math.min(fixed, m), Math.max(fixed, m));
	});
	for (const end of ['pointerup', 'pointercancel'])
		node.addEventListener(end, () => { fixed = -1; });
}

// Returns what redraws the range alone.
function drawChart(run, state, changed) {
	const box = document.getElementById('chart');
	const width = Math.max(280, box.clientWidth), height = width < 500 ? 240 : 320;
	const scales = chartScales(run, width, height, state.rss);
	box.textContent = '';
	const svg = d3.select(box).append('svg').attr('viewBox', `0 0 ${width} ${height}`)
		.attr('width', width).attr('height', height).attr('role', 'img')
		.attr('aria-label', `Live bytes over ${span(lasted(run))},`
			+ ` at most ${bytes(d3.max(run.total))}; the table has the numbers`);
	drawAxes(svg, scales, width, height);
	const layers = drawBands(svg, run, scales);
	if (state.rss)
		drawRss(svg, run, scales);
	listen(svg.node(), run, scales, layers, state, changed);
	return () => {
		svg.selectAll('.range').remove();
		drawRange(svg, run, scales, state, width, height);
	};
}

function drawLegend(run, state) {
	const list = document.getElementById('legend');
	list.textContent = '';
	for (const band of run.bands) {
		const item = element('li'), swatch = element('span', 'swatch');
		swatch.style.background = band.color;
		const name = element('span', 'name', band.name);
		name.title = band.name;
		item.append(swatch, name, element('span', 'value', bytes(band.live[state.to])));
		list.append(item);
	}
}
