#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# debian/watch, word for word, against a site laid out like upstream's: uscan
# hears of a newer release, and fetches it.  The site is our own, under
# upstream's name, in a chroot without a network.  And debian/copyright and
# upstream/metadata are read by those who read such files.
#
#     packaging/checks/metadata.sh SUITE FILE.dsc
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} dsc=${2:?a .dsc file}
need_chroots
root=$(with metadata "$suite" "$(dpkg --print-architecture)" devscripts dpkg-dev \
	ca-certificates openssl liblwp-protocol-https-perl python3 python3-debian python3-yaml)
trap 'discard "$root"' EXIT
files_of "$dsc" | xargs -d '\n' cp -t "$root/srv"
cat > "$root/srv/site.py" <<'END'
import functools, http.server, ssl
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/srv/site")
server = http.server.HTTPServer(("127.0.0.1", 443), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/srv/cert.pem", "/srv/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("/srv/ready", "w").close()
server.serve_forever()
END
cat > "$root/srv/read.py" <<'END'
import pathlib, yaml
from debian.copyright import Copyright
c = Copyright(open("debian/copyright", encoding="utf-8"), strict=True)
texts = {p.license.synopsis for p in c.all_license_paragraphs()}
used = set()
for p in c.all_files_paragraphs():
    used |= set(p.license.synopsis.replace(" or ", " and ").split(" and "))
assert used == texts, used ^ texts
files = [str(f) for f in pathlib.Path(".").rglob("*") if f.is_file()]
for p in c.all_files_paragraphs():
    assert any(p.matches(f) for f in files), p.files
for f in files:
    assert c.find_files_paragraph(f), f
metadata = yaml.safe_load(open("debian/upstream/metadata"))
assert metadata["Repository"] and metadata["Bug-Submit"], metadata
print(f"PASS: copyright of {len(files)} files, {len(texts)} licences; upstream/metadata")
END

# shellcheck disable=SC2016
net=no enter "$root" '
	cd /srv
	dpkg-source --extract *.dsc tree > /tmp/log
	cd tree
	python3 /srv/read.py
	page=$(sed -n "s|^\(https://[^ ]*\) .*|\1|p" debian/watch)
	host=${page#https://}
	path=/${host#*/}
	host=${host%%/*}
	upstream=$(dpkg-parsechangelog -S Version | sed "s/-[^-]*$//")

	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$host" \
		-addext "subjectAltName=DNS:$host" -keyout /srv/key.pem -out /srv/cert.pem 2> /tmp/log
	cp /srv/cert.pem /usr/local/share/ca-certificates/site.crt
	update-ca-certificates > /tmp/log 2>&1
	echo "127.0.0.1 localhost $host" > /etc/hosts
	mkdir -p "/srv/site$path"
	cp /srv/libmemhook_*.orig.tar.gz "/srv/site$path/libmemhook-$upstream.tar.gz"
	python3 /srv/site.py 2> /srv/site.log &
	for i in $(seq 300); do [ ! -e /srv/ready ] || break; sleep 0.1; done

	said() { # said WHAT PATTERN OPTION...: uscan says so
		what=$1 pattern=$2
		shift 2
		uscan --dehs --destdir /srv "$@" > /tmp/said 2>&1 || :
		grep -q "$pattern" /tmp/said || { cat /tmp/said /srv/site.log; echo "FAIL: $what"; exit 1; }
		echo "PASS: uscan: $what"
	}
	said "$upstream is the newest" "<status>up to date" --report
	cd /srv/site$path
	mkdir /tmp/next
	tar -C /tmp/next -xzf libmemhook-$upstream.tar.gz
	mv /tmp/next/* /tmp/next/libmemhook-$upstream.1
	tar -C /tmp/next -czf libmemhook-$upstream.1.tar.gz libmemhook-$upstream.1
	cd /srv/tree
	said "$upstream.1 is there" "<upstream-version>$upstream.1<" --report
	said "$upstream.1 is fetched" "<target>libmemhook_$upstream.1.orig.tar.gz<" --download
	cmp /srv/libmemhook_$upstream.1.orig.tar.gz "/srv/site$path/libmemhook-$upstream.1.tar.gz"'
