package manifest

import (
	"slices"
	"strings"
)

// sensitiveWords mark a name whose value is likely a secret.
var sensitiveWords = []string{
	"APIKEY", "AUTH", "AUTHORIZATION", "CREDENTIAL", "CREDENTIALS", "CREDS", "DSN", "KEY", "KEYS", "PASS", "PASSPHRASE",
	"PASSWD", "PASSWORD", "PASSWORDS", "PRIVATE", "PWD", "SALT", "SECRET", "SECRETS", "SIGNATURE", "TOKEN", "TOKENS",
}

// harmlessWords, last and right after a sensitive one, say that the value is
// about the secret and not it: SECRET_NAME, TOKEN_TTL.
var harmlessWords = []string{"ARN", "COUNT", "NAME", "REGION", "TTL", "TYPE"}

// connections are what an address with a password in it is named after.
var connections = []string{"AMQP", "DATABASE", "DB", "MONGO", "MONGODB", "MYSQL", "PG", "POSTGRES", "POSTGRESQL", "RABBITMQ", "REDIS"}

// SensitiveName tells whether an environment variable's name looks like that
// of a secret: one of its words is KEY, TOKEN, PASSWORD and the like. Words
// are told apart by _ and by case, so that KEYBOARD and MONKEY are not KEY.
func SensitiveName(name string) bool {
	words := nameWords(name)
	for i, word := range words {
		sensitive := slices.Contains(sensitiveWords, word) || i+1 < len(words) && sensitivePair(word, words[i+1])
		if !sensitive && !hasSecretSuffix(word) {
			continue
		}
		if i+1 == len(words)-1 && slices.Contains(harmlessWords, words[i+1]) {
			continue
		}
		return true
	}
	return false
}

// sensitivePair finds API_KEY, PASS_WORD, CONNECTION_STRING and DATABASE_URL.
func sensitivePair(a, b string) bool {
	switch b {
	case "URL", "URI":
		return slices.Contains(connections, a)
	case "STRING":
		return a == "CONNECTION"
	}
	return slices.Contains(sensitiveWords, a+b)
}

// hasSecretSuffix finds words written together: DBPASSWORD, AUTHTOKEN.
func hasSecretSuffix(word string) bool {
	for _, suffix := range []string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "CREDENTIALS", "PASSPHRASE"} {
		if strings.HasSuffix(word, suffix) {
			return true
		}
	}
	return false
}

// nameWords splits at anything but letters and digits, and where camelCase
// begins a word.
func nameWords(name string) []string {
	var words []string
	var word []byte
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToUpper(string(word)))
			word = word[:0]
		}
	}
	for i := range len(name) {
		c := name[i]
		upper := c >= 'A' && c <= 'Z'
		switch {
		case !upper && (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			flush()
			continue
		case upper && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z':
			flush()
		}
		word = append(word, c)
	}
	flush()
	return words
}
