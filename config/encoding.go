package config

import (
	"errors"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/encoding"
)

// Encryption configures the recipients of an archive's content.
type Encryption struct {
	Recipients []string `yaml:"recipients"` // age public keys; an empty list disables encryption
}

// ParseCompression parses none, zstd, or zstd with a level, such as zstd:better. An empty level
// is the fastest.
func ParseCompression(s string) (compression, level string, err error) {
	compression, level, leveled := strings.Cut(s, ":")
	if compression == encoding.None && leveled || leveled && level == "" {
		return "", "", errCompression
	}
	if _, err := encoding.New(encoding.Settings{Compression: compression, Level: level}); err != nil || compression == "" {
		return "", "", errCompression
	}
	return compression, level, nil
}

var errCompression = errors.New("use none, zstd, or zstd with a level: " +
	"zstd:fastest (the same as zstd), zstd:normal, zstd:better, zstd:best")

// encodings fills in the settings for compression and encryption.
func (s *section) encodings(a *Archive) {
	if v, ok := s.text("compression"); ok {
		if _, _, err := ParseCompression(v); err != nil {
			s.errors.add(s.entries["compression"].at, "compression cannot be %s; %v", quote(v), err)
		}
		a.Compression = v
	}
	e, ok := s.entries["encryption"]
	if !ok {
		return
	}
	in, ok := s.section(e.value, "in encryption", keys[Encryption]())
	if !ok {
		return
	}
	in.required("recipients", "[age1…]")
	a.Encryption = Encryption{Recipients: in.texts("recipients")}
	if _, there := in.entries["recipients"]; there && len(a.Encryption.Recipients) == 0 {
		in.errors.add(in.entries["recipients"].at, "recipients is empty, so no content would be encrypted; "+
			"add at least one age public key, or remove encryption")
	}
	if _, err := encoding.New(encoding.Settings{Recipients: a.Encryption.Recipients}); err != nil {
		in.errors.add(in.entries["recipients"].at, "recipients: %v", err)
	}
}
