package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"github.com/strongroom-dev/strongroom/internal/redact"
)

const webhook = "webhook+"

// chats are the hosts whose URLs accept posted messages only: a heartbeat to them would fail.
var chats = map[string]string{
	"hooks.slack.com":     "slack://hook:…@webhook",
	"discord.com":         "discord://TOKEN@ID",
	"api.telegram.org":    "telegram://TOKEN@telegram?chats=…",
	"outlook.office.com":  "teams://…",
	"chat.googleapis.com": "googlechat://…",
}

// parse returns a function that sends to a target, and whether the target is a heartbeat. Its errors show nothing
// of the target.
func parse(raw string, o Options) (send func(context.Context, message) error, heartbeat bool, err error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, false, errors.New("it is not a URL; write it as https://, webhook+https:// or a shoutrrr URL, " +
			"and escape special characters such as % in a password")
	case u.Scheme == "":
		return nil, false, errors.New("it has no scheme; write it as https://, webhook+https:// " +
			"or a shoutrrr URL such as slack:// or smtp://")
	}
	scheme, hook := strings.CutPrefix(u.Scheme, webhook)
	if scheme != "https" && scheme != "http" {
		if hook {
			return nil, false, errors.New("a webhook begins with webhook+https:// or webhook+http://")
		}
		send, err = shoutrrr(raw, u, o)
		return send, false, err
	}
	if u.Hostname() == "" {
		return nil, false, errors.New("it has no host")
	}
	if right, ok := chats[u.Hostname()]; ok && !hook {
		return nil, false, errors.New("a plain https:// means a heartbeat, which this host does not offer; " +
			"for messages write it as " + right)
	}
	u.Scheme = scheme
	w := &web{url: u.String(), shown: redact.Target(raw), secrets: secrets(raw, u), o: o}
	if hook {
		return w.post, false, nil
	}
	return w.ping, true, nil
}

// hash identifies a target without revealing it.
func hash(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:16])
}
