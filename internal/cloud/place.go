package cloud

import (
	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Place identifies an archive's URL without its secrets: two URLs of different archives have different places.
func Place(raw string) string { return placeOf(raw, redact.URL(raw), len(redact.Hidden(raw)) > 0) }

func placeOf(raw, safe string, isRedacted bool) string {
	if !isRedacted {
		return safe
	}
	return safe + "#" + manifest.Sum([]byte(raw)).String()[:16]
}

// FormerPlace returns the place of an archive's URL in earlier versions. It may have a secret, and must be neither shown
// nor stored.
func FormerPlace(raw string) string {
	safe := redact.Former(raw)
	if was := placeOf(raw, safe, redact.FormerHidden(raw)); was != Place(raw) {
		return was
	}
	return safe // before places had a hash
}
