package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
)

const webhook = "webhook+"

// chats are the hosts whose URLs are for posting messages: as heartbeats they would fail.
var chats = map[string]string{
	"hooks.slack.com":     "slack://hook:…@webhook",
	"discord.com":         "discord://TOKEN@ID",
	"api.telegram.org":    "telegram://TOKEN@telegram?chats=…",
	"outlook.office.com":  "teams://…",
	"chat.googleapis.com": "googlechat://…",
}

// parse returns how to send to a target, and whether it is a heartbeat. Its errors show
// nothing of the target.
func parse(raw string, o Options) (send func(context.Context, message) error, heartbeat bool, err error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, false, errors.New("it is no URL; write it as https://, webhook+https:// or a shoutrrr URL, with % signs and the like in a password escaped")
	case u.Scheme == "":
		return nil, false, errors.New("it has no scheme; write it as https://, webhook+https:// or a shoutrrr URL such as slack:// or smtp://")
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
		return nil, false, errors.New("it names no host")
	}
	if right, ok := chats[u.Hostname()]; ok && !hook {
		return nil, false, errors.New("a plain https:// is a heartbeat, which this host has none of; for messages write it as " + right)
	}
	u.Scheme = scheme
	w := &web{url: u.String(), shown: Redact(raw), secrets: secrets(raw, u), o: o}
	if hook {
		return w.post, false, nil
	}
	return w.ping, true, nil
}

// hash names a target without showing it.
func hash(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:16])
}
