#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes the page of memhook report: style, D3 and our scripts in one file.  Its
# policy lets the browser run these very scripts and load nothing at all.
#
#     assemble.sh FOLDER D3.min.js > page
set -eu
folder=$1 d3=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An element's text has the newlines that follow and precede its tags.
{ echo; cat "$d3"; echo; } > "$work/d3"
{
	echo
	echo "'use strict';"
	for part in model units chart treemap table bridge main; do
		cat "$folder/$part.js"
	done
} > "$work/script"
{ echo; cat "$folder/page.css"; } > "$work/style"
if grep -q -e '--' "$folder/d3-notice.txt"; then
	echo "assemble.sh: the notice would end its own comment" >&2
	exit 1
fi
if grep -Eiq '</script|<!--' "$work/d3" "$work/script"; then
	echo "assemble.sh: a script would end its own element" >&2
	exit 1
fi

# sha256-BASE64, as a policy names a script; coreutils has both halves.
hash() {
	hex=$(sha256sum < "$work/$1" | cut -c 1-64 | sed 's/../\\x&/g')
	printf "'sha256-%s'" "$(env printf "$hex" | base64)"
}
policy="default-src 'none'; script-src $(hash d3) $(hash script)"
policy="$policy; style-src $(hash style); base-uri 'none'; form-action 'none'"

while IFS= read -r line; do
	case $line in
	@POLICY@) printf '<meta http-equiv="Content-Security-Policy" content="%s">\n' "$policy" ;;
	@NOTICE@) echo '<!--'; cat "$folder/d3-notice.txt"; echo '-->' ;;
	@STYLE@) printf '<style>'; cat "$work/style"; echo '</style>' ;;
	@D3@) printf '<script>'; cat "$work/d3"; echo '</script>' ;;
	@SCRIPT@) printf '<script>'; cat "$work/script"; echo '</script>' ;;
	*) printf '%s\n' "$line" ;;
	esac
done < "$folder/page.html"
