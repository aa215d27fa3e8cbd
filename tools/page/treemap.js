// SPDX-License-Identifier: BSD-2-Clause
// Who holds it: an area for each owner, those with a slash in their names and
// the call sites of a library together.

const DEPTH = 3;

function pathOf(owner) {
	if (owner.kind === 'library' || owner.kind === 'thread'
		|| owner.kind === 'process' || owner.others)
		return [owner.name];
	if (owner.kind === 'site')
		return [owner.object.split('/').pop() || '(no library)', owner.name];
	const parts = owner.name.split('/').filter(part => part);
	if (parts.length > DEPTH)
		parts.splice(DEPTH - 1, parts.length, parts.slice(DEPTH - 1).join('/'));
	return parts.length ? parts : [owner.name];
}

function makeTree(owners, moment) {
	const root = { name: '', children: new Map() };
	for (const owner of owners) {
		if (!owner.live[moment])
			continue;
		let node = root;
		for (const part of pathOf(owner)) {
			if (!node.children.has(part))
				node.children.set(part, { name: part, children: new Map() });
			node = node.children.get(part);
		}
		// "db" beside "db/cache": the bytes of its own are a part of it, too.
		node.children.set(owner, { name: owner.name, owner, value: owner.live[moment] });
	}
	return root;
}

function childrenOf(node) {
	const children = node.children && [...node.children.values()];
	return children && children.length ? children.map(only) : undefined;
}

// A node with nothing but one owner in it is that owner.
function only(node) {
	while (node.children && node.children.size === 1)
		node = node.children.values().next().value;
	return node;
}

function fitted(text, width) {
	const room = Math.floor((width - 8) / 6.6);
	if (text.length <= room)
		return text;
	return room < 4 ? '' : `${text.slice(0, room - 1)}\u2026`;
}

function drawCell(svg, node) {
	const width = node.x1 - node.x0, height = node.y1 - node.y0, { owner, name } = node.data;
	const cell = svg.append('g').attr('transform', `translate(${node.x0},${node.y0})`);
	const rect = cell.append('rect').attr('width', width).attr('height', height)
		.attr('class', owner ? 'cell' : 'group');
	cell.append('title').text(`${owner ? owner.name : name}: ${bytes(node.value)}`);
	if (owner)
		rect.node().style.fill = owner.color;
	const label = height >= 16 ? fitted(owner ? owner.name : name, width) : '';
	if (label)
		cell.append('text').attr('class', owner ? 'on-cell' : 'on-group')
			.attr('x', 4).attr('y', 12).text(label);
	if (owner && label && height >= 32 && width > 70)
		cell.append('text').attr('class', 'on-cell').attr('x', 4).attr('y', 27)
			.text(bytes(node.value));
}

function drawTreemap(run, state) {
	const box = document.getElementById('map');
	const width = Math.max(280, box.clientWidth), height = width < 500 ? 300 : 340;
	const root = d3.hierarchy(makeTree(run.owners, state.to), childrenOf)
		.sum(d => d.value || 0).sort((a, b) => b.value - a.value);
	box.textContent = '';
	if (!root.value) {
		box.append(element('p', 'note', 'Nothing was live.'));
		return;
	}
	d3.treemap().size([width, height]).paddingInner(1).round(true)
		.paddingTop(d => d.depth ? 17 : 0)(root);
	const svg = d3.select(box).append('svg').attr('viewBox', `0 0 ${width} ${height}`)
		.attr('width', width).attr('height', height).attr('role', 'img')
		.attr('aria-label', `${bytes(root.value)} by owner; the table has the numbers`);
	for (const node of root.descendants())
		if (node.depth && node.x1 > node.x0 && node.y1 > node.y0)
			drawCell(svg, node);
}
