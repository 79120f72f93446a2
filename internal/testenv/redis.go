package testenv

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Databases of the tests' Redis: number 0 holds who uses which of the others.
const (
	redisDatabases = 16
	redisLease     = 10 * time.Minute
)

// RedisURL is the URL of an empty numbered database of the tests' Redis that no
// other test uses until this one ends. It is flushed afterwards.
func RedisURL(t testing.TB) string {
	t.Helper()
	server := required(t, RedisVariable, "Redis")
	options, err := redis.ParseURL(server)
	if err != nil {
		t.Fatalf("%s: %v", RedisVariable, err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", RedisVariable, err)
	}
	options.DB = 0
	register := redis.NewClient(options)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	number := 0
	for n := 1; n < redisDatabases && number == 0; n++ {
		// Packages are tested by processes of their own at the same time, so
		// the register stands in Redis itself.
		free, err := register.SetNX(ctx, lease(n), t.Name(), redisLease).Result()
		if err != nil {
			t.Fatalf("%s: %v", RedisVariable, err)
		}
		if free {
			number = n
		}
	}
	if number == 0 {
		t.Fatalf("%s: all %d databases are in use", RedisVariable, redisDatabases-1)
	}
	own := *options
	own.DB = number
	client := redis.NewClient(&own)
	if err := client.FlushDB(ctx).Err(); err != nil {
		t.Fatalf("%s: %v", RedisVariable, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := client.FlushDB(ctx).Err(); err != nil {
			t.Errorf("flush the test's Redis: %v", err)
		}
		register.Del(ctx, lease(number))
		_ = client.Close()
		_ = register.Close()
	})
	u.Path = "/" + strconv.Itoa(number)
	return u.String()
}

func lease(number int) string { return fmt.Sprintf("corehour:test:database:%d", number) }
