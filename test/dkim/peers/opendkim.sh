# Verifies every .eml file of a directory with opendkim-testmsg, which asks the resolver
# that a file of the form of resolv.conf names, or signs it with opendkim -t.
# opendkim.sh verify DIR RESOLVCONF; opendkim.sh sign DIR CONFIGURATION
# It prints a line NAME, tab, result; signing writes NAME.signed.
set -u
what=$1 dir=$2
[ "$what" = sign ] || mount --bind "$3" /etc/resolv.conf || exit 1
for f in "$dir"/*.eml; do
	if [ "$what" = sign ]; then
		said=$(opendkim -x "$3" -vv -t "$f" 2>"$f.log")
		case $said in
		"### INSHEADER: idx=0 hname='DKIM-Signature'"*)
			{
				printf '%s\n' "$said" | sed "1s/^### INSHEADER: .* hvalue='/DKIM-Signature: /; \$s/'\$//; s/\$/\r/"
				cat "$f"
			} >"$f.signed"
			said=
			result=signed
			;;
		*) result="error $(tail -n 3 "$f.log")" ;;
		esac
	else
		said=$(opendkim-testmsg <"$f" 2>&1) && result=pass || result=fail
	fi
	printf '%s\t%s\n' "${f##*/}" "$(printf %s "$result${said:+ $said}" | tr '\n' ' ')"
done
