package drivertest

import (
	"encoding/hex"
	"strings"
)

// Services refuse some keys that the suite uses, and emulators take others for different ones. No archive has such
// keys. A byte outside of the alphabet of archives' keys becomes "~" and two hexadecimal digits. So does "/" where it
// begins or ends a key or follows another one, and "." at the beginning of a segment. A prefix may end in "/".

const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=%-"

func (w *writable) escape(key string) string {
	if w.KeepsOddKeys {
		return key
	}
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		begins := i == 0 || key[i-1] == '/'
		isPlain := strings.IndexByte(plain, c) >= 0 && !(c == '.' && begins)
		if isPlain || c == '/' && (!begins || key == "/") {
			b.WriteByte(c)
			continue
		}
		b.WriteString("~" + hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

// escapeKey escapes the key of an object.
func (w *writable) escapeKey(key string) string {
	escaped := w.escape(key)
	if rest, ok := strings.CutSuffix(escaped, "/"); ok && !w.KeepsOddKeys {
		return rest + "~2f"
	}
	return escaped
}

func (w *writable) unescape(key string) string {
	if w.KeepsOddKeys {
		return key
	}
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		if key[i] == '~' && i+2 < len(key) {
			if c, err := hex.DecodeString(key[i+1 : i+3]); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		b.WriteByte(key[i])
	}
	return b.String()
}
