// For single-page applications. Where a call lacks a sign-in or a factor, its answer names the
// page to visit. This keeps what was typed, goes there, and puts the text back on return.
(() => {
	'use strict';
	const LINE = 'Portcullis-Challenge';
	const OURS = /^((?:login|enrolment)_required|mfa_(?:required|stale|locked)); url="(\/[^"]*)"$/;
	const store = sessionStorage;
	const typed = new WeakMap(); // fields with input, and whether by hand
	const secret = new WeakSet(); // those that were passwords
	const waiting = []; // answers held back
	let leaving, acted, at, until, fields = {}, tries = {};

	const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
	const place = () => `portcullis:kept:${location.pathname}${location.hash}`;
	const load = (key) => {
		const kept = JSON.parse(store.getItem(key));
		return kept && Date.now() - kept.at < 18e5 ? kept.fields : {}; // half an hour
	};

	// Every field by what it is, and how many like it stand before it.
	const named = () => {
		const counts = {};
		return [...document.querySelectorAll('input,textarea,select,[contenteditable]')].map((field) => {
			const like = [field.tagName, field.type, field.id, field.name];
			counts[like] = (counts[like] || 0) + 1;
			return [[like, counts[like]].join(), field];
		}).filter(([, field]) => !secret.has(field) && !/^(password|hidden|file)$/.test(field.type)
			&& !/\b(one-time-code|cc-|(current|new)-password)/i.test(field.getAttribute('autocomplete')));
	};
	const isBox = (field) => /^(checkbox|radio)$/.test(field.type);
	const read = (field) => field.isContentEditable ? field.innerText
		: isBox(field) ? field.checked
		: field.options ? [...field.selectedOptions].map((option) => option.value)
		: field.value;

	// Frameworks hide the browser's own setter.
	const put = (field, value) => {
		if (field.isContentEditable) {
			getSelection().selectAllChildren(field);
			document.execCommand('insertText', false, value);
		} else if (isBox(field)) field.click();
		else if (field.options) {
			for (const option of field.options) option.selected = value.includes(option.value);
		} else Reflect.set(Object.getPrototypeOf(field), 'value', value, field);
		for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));
	};

	const keep = () => {
		const all = load(place());
		for (const [name, field] of named()) if (typed.has(field)) all[name] = read(field);
		const text = JSON.stringify({ at: Date.now(), fields: all });
		if (text.length > 262144) throw Error();
		if (!same(all, {})) store.setItem(place(), text);
	};

	// Fields appear late, and applications fill them later still: until the user acts, a field
	// that lost its text gets it again.
	const restore = () => {
		if (document.readyState !== 'complete') return;
		if (at !== place()) {
			[at, tries, acted, until] = [place(), {}, false, Date.now() + 2e4];
			fields = load(at);
		}
		if (Date.now() > until) {
			finish();
			fields = {};
		}
		if (same(fields, {})) return;
		for (const [name, field] of named()) {
			const value = fields[name], count = tries[name];
			if (value === undefined || (count ? acted || count > 3 : typed.get(field))) continue;
			const known = [...field.options || []].map((option) => option.value);
			if (field.options && !value.every((one) => known.includes(one))) continue;
			tries[name] = count || 1;
			if (same(read(field), value)) continue;
			tries[name] += 1;
			put(field, value);
		}
	};
	const finish = () => same(tries, {}) || leaving || store.removeItem(at);

	// An eighth visit in twenty seconds would not help.
	const loops = () => {
		const now = Date.now();
		const visits = [...JSON.parse(store.getItem('portcullis:visits')) || [], now].slice(-8);
		if (visits[7] - visits[0] < 2e4) return true;
		store.setItem('portcullis:visits', JSON.stringify(visits));
	};

	// The page was not left after all.
	const stay = () => {
		clearTimeout(leaving);
		leaving = 0;
		store.removeItem(place());
		for (const free of waiting.splice(0)) free();
	};

	// Whether an answer is ours, and the page is being left for it.
	const leads = (status, from, line) => {
		try {
			if (!/401|429/.test(status) || new URL(from).origin !== location.origin) return false;
			const [, name, to] = OURS.exec(line());
			if (leaving) return true;
			const page = top.location, here = page.pathname + page.search, back = here + page.hash;
			const url = new URL(to, location);
			if (url.origin !== location.origin || url.pathname + url.search === here || loops()) return false;
			const kept = back.length < 2e3 && !back.includes('\\') ? back : here;
			if (name !== 'login_required') url.searchParams.set('return_to', kept);
			keep();
			leaving = setTimeout(stay, 1e4);
			page.assign(url);
			return true;
		} catch { // not ours, a frame of another site, or too much to keep
			return false;
		}
	};

	const ask = fetch;
	window.fetch = function (...given) {
		return ask.apply(this, given).then((answer) =>
			leads(answer.status, answer.url, () => answer.headers.get(LINE))
				? new Promise((free) => waiting.push(() => free(answer))) : answer);
	};

	const look = (event) => {
		const call = event.target, line = () => call.getResponseHeader(LINE);
		if (leads(call.status, call.responseURL, line)) event.stopImmediatePropagation();
	};
	const { open } = XMLHttpRequest.prototype;
	XMLHttpRequest.prototype.open = function (...given) {
		for (const kind of ['readystatechange', 'progress', 'load', 'loadend']) {
			this.addEventListener(kind, look, true);
		}
		return open.apply(this, given);
	};

	const note = ({ type, isTrusted, target }) => {
		if (/input|change/.test(type)) {
			typed.set(target, typed.get(target) || isTrusted);
			if (target.type === 'password') secret.add(target);
		} else if (isTrusted) {
			acted = true;
			finish();
		}
	};
	for (const kind of ['input', 'change', 'keydown', 'pointerdown']) addEventListener(kind, note, true);
	addEventListener('beforeunload', (event) => leaving && event.stopImmediatePropagation(), true);
	addEventListener('pageshow', (event) => event.persisted && stay());
	setInterval(restore, 200);
})();
