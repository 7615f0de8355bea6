package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/providers/aws/sandbox"
)

func sandboxCommand() *cobra.Command {
	var o sandbox.Options
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "a small AWS on this machine; any AWS client works against it",
		Example: `  mooring sandbox --listen 127.0.0.1:4566
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=alice AWS_SECRET_ACCESS_KEY=any AWS_REGION=eu-west-1 aws lambda list-functions`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sandbox.New(o)
			if err != nil {
				return err
			}
			if err := s.Start(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "sandbox listens on %s\nexport AWS_ENDPOINT_URL=%s\n", s.URL(), s.URL())
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:4566", "address on loopback")
	f.StringVar(&o.DataDir, "data", "", "folder for functions' code (default: a temporary one)")
	f.StringVar(&o.Account, "account", "111111111111", "account of credentials that name none")
	f.StringVar(&o.Region, "region", "eu-west-1", "region of requests that name none")
	f.DurationVar(&o.Period, "period", time.Second, "what stands for CloudWatch's minute")
	f.DurationVar(&o.Updating, "updating", 300*time.Millisecond, "how long a function update stays in progress")
	f.BoolVar(&o.Rates, "rates", true, "refuse calls above the account's rates, as AWS does")
	f.BoolVar(&o.Policies, "policies", false, "hold the sessions of roles to what the roles' policies allow")
	f.DurationVar(&o.TrailLag, "trail-lag", 0, "how late the audit trail shows an event")
	return cmd
}
