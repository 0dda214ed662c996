#!/bin/sh
# Shim for registers over the HTTP API of schism's own node (docs/reference/node.md), with curl. The protocol is
# described in docs/reference/shims.md. Patterns suffice for its JSON, as schism always writes it alike.

timeout=$(awk "BEGIN { print $SCHISM_TIMEOUT_MS * 0.0009 }") # Seconds, less than schism waits for.

field() { # field NAME: the number, name or list of numbers in $line or the answer on stdin
    sed -n "s/.*\"$1\":\(\[[^]]*\]\|\"[^\"]*\"\|[^,}\"]*\).*/\1/p" | tr -d '"'
}

end() { # end TYPE [FIELDS]
    printf '{"id":%s,"type":"%s"%s}\n' "$id" "$1" "$2"
}

ask() { # ask METHOD PATH [BODY]: leaves the body of the answer in $answer, or says why there is none and fails
    answer=$(curl -s -m "$timeout" -X "$1" ${3:+-d "$3"} "http://$SCHISM_ADDRESS/v1/kv/$key$2")
    code=$?
    case $code in
        0) ;;
        7) end fail ',"error":"no connection"'; return 1 ;; # Nothing has been sent.
        *) end info ",\"error\":\"curl: $code\""; return 1 ;; # It may have happened, and may yet.
    esac
    case $answer in
        *'"happened":"no"'*) end fail ',"error":"refused"'; return 1 ;;
        *'"error"'*) end info ',"error":"it may have happened"'; return 1 ;;
    esac
}

echo '{"type":"ready"}'
while read -r line; do
    id=$(echo "$line" | field id)
    f=$(echo "$line" | field f)
    key=$(echo "$line" | field key)
    value=$(echo "$line" | field value)
    case $f in
        read)
            ask GET "?read=$(echo "$line" | field read)" || continue
            end ok ",\"value\":$(echo "$answer" | field value)"
            ;;
        write)
            ask PUT "" "{\"value\":$value}" || continue
            end ok
            ;;
        cas)
            from=${value%,*} to=${value#*,}
            ask POST /cas "{\"from\":${from#[},\"to\":${to%]}}" || continue
            case $answer in
                *'"swapped":true'*) end ok ;;
                *) end fail ",\"value\":$(echo "$answer" | field observed)" ;;
            esac
            ;;
        *) end fail ',"error":"this shim knows only read, write and cas"' ;;
    esac
done
