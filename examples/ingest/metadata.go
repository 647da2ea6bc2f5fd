package main

// Metadata as JSON, without reflection and without allocations.

// appendMetadata appends metadata as a JSON object, its members in no particular order: jsonb has
// an order of its own. Strings are UTF-8 by the time they get here.
func appendMetadata(to []byte, metadata map[string]string) []byte {
	to = append(to, '{')
	first := true
	for key, value := range metadata {
		if !first {
			to = append(to, ',')
		}
		first = false
		to = appendString(to, key)
		to = append(to, ':')
		to = appendString(to, value)
	}
	return append(to, '}')
}

// appendString appends a JSON string.
func appendString(to []byte, text string) []byte {
	to = append(to, '"')
	done := 0 // so many bytes of text are in to
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[done:i]...)
		done = i + 1
		if c < ' ' {
			to = append(to, `\u00`...)
			to = append(to, hexDigits[c>>4], hexDigits[c&15])
		} else {
			to = append(to, '\\', c)
		}
	}
	to = append(to, text[done:]...)
	return append(to, '"')
}
