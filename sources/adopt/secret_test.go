package adopt

import "testing"

func TestSuspicion(t *testing.T) {
	for _, c := range []struct {
		name, value string
		secret      bool
	}{
		{"STRIPE_KEY", "x", true},
		{"DB_PASSWORD", "123456", true},
		{"API_TOKEN", "", false},
		{"AUTH_ENABLED", "true", false},
		{"KMS_KEY", "arn:aws:kms:eu-west-1:111111111111:key/0b1a2c3d", false},
		{"SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop/key-AbCdEf", false},
		{"SECRET_NAME", "shop/key", false},
		{"LOG_LEVEL", "info", false},
		{"URL", "https://shop.example/orders?page=2", false},
		{"URL", "https://sqs.eu-west-1.amazonaws.com/111111111111/orders", false},
		{"CALLBACK", "https://x.example/hook?token=0123456789", true},
		{"SAS", "https://store.example/c?sv=1&sig=abcdef", true},
		{"BROKER", "amqps://user:pass@mq.example:5671", true},
		{"BROKER", "amqps://user:p#ss%@mq.example:5671", true},
		{"BROKER", "u@b://%zz", false},
		{"DATABASE", "Server=db;User Id=me;Password=hunter22;", true},
		{"A", "AKIAIOSFODNN7EXAMPLE", true},
		{"A", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc", true},
		{"A", "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", true},
		{"HOOK", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX", true},
		{"A", "ghp_0123456789abcdefghij0123456789abcdef", true},
		{"CONFIG", `{"host":"db","password":"hunter2"}`, true},
		{"CONFIG", `{"a":[{"b":{"apiKey":"zzz"}}]}`, true},
		{"CONFIG", `{"host":"db","port":5432}`, false},
		{"OPAQUE", "Zk3vQ9pXt7Lm2Rw8Yb5N", true},
		{"OPAQUE", "d41d8cd98f00b204e9800998ecf8427e", true},
		{"GIT_SHA", "da39a3ee5e6b4b0d3255bfef95601890afd80709", false},
		{"IMAGE_DIGEST", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false},
		{"SUBNET", "subnet-0a1b2c3d4e5f60718", false},
		{"TENANT", "123e4567-e89b-12d3-a456-426614174000", false},
		{"TABLE", "production-orders-v2-archive-2024", false},
		{"BUCKET", "shop-artifacts-111111111111-eu-west-1", false},
		{"PATH_PREFIX", "/opt/app/config/v1/production", false},
		{"FUNCTION", "OrdersStackCheckoutHandlerService", false},
		{"TEXT", "The quick brown fox jumps over the lazy dog 123", false},
	} {
		if got := suspicion(c.name, c.value); (got != "") != c.secret {
			t.Errorf("%s=%s: %q, want a secret: %v", c.name, c.value, got, c.secret)
		}
	}
}
