package kinesis

import (
	"context"
	"crypto/md5" //nolint:gosec // how Kinesis spreads keys
	"fmt"
	"math/big"

	"mooring.dev/providers/aws/sandbox/stream"
	"mooring.dev/providers/aws/sandbox/wire"
)

type shard struct {
	ShardId             string
	HashKeyRange        hashRange
	SequenceNumberRange sequenceRange
}

type hashRange struct{ StartingHashKey, EndingHashKey string }

type sequenceRange struct{ StartingSequenceNumber, EndingSequenceNumber string }

func shardName(i int) string { return fmt.Sprintf("shardId-%012d", i) }

// firstHash is the first of the 128-bit hash keys of a shard, one of n.
func firstHash(i, n int) *big.Int {
	all := new(big.Int).Lsh(big.NewInt(1), 128)
	return all.Mul(all, big.NewInt(int64(i))).Div(all, big.NewInt(int64(n)))
}

// hashKey is where a record belongs: where it says, or by its key.
func (e *entry) hashKey() (*big.Int, bool) {
	if e.ExplicitHashKey != "" {
		key, ok := new(big.Int).SetString(e.ExplicitHashKey, 10)
		return key, ok && key.Sign() >= 0 && key.BitLen() <= 128
	}
	sum := md5.Sum([]byte(e.PartitionKey)) //nolint:gosec // how Kinesis spreads keys
	return new(big.Int).SetBytes(sum[:]), true
}

// shardOf is which of n shards a hash key belongs to.
func shardOf(key *big.Int, n int) int {
	for i := n - 1; i > 0; i-- {
		if key.Cmp(firstHash(i, n)) >= 0 {
			return i
		}
	}
	return 0
}

func (d *dataStream) shards() []shard {
	out := []shard{}
	n := d.log.Shards()
	for i := range n {
		last := firstHash(i+1, n)
		out = append(out, shard{
			ShardId: shardName(i), SequenceNumberRange: sequenceRange{StartingSequenceNumber: stream.Sequence(1)},
			HashKeyRange: hashRange{firstHash(i, n).String(), last.Sub(last, big.NewInt(1)).String()},
		})
	}
	return out
}

type shardsOutput struct{ Shards []shard }

func (s *Service) listShards(_ context.Context, _ *wire.Call, in *input) (shardsOutput, error) {
	d, err := s.show(in)
	if err != nil {
		return shardsOutput{}, err
	}
	return shardsOutput{d.Shards}, nil
}
