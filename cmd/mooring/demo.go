package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mooring.dev/cmd/mooring/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the whole story on this machine, with the embedded sandbox",
		Long: `Makes a repository of a small shop with a control branch and three environments,
starts a small AWS on this machine and the daemon, sends steady traffic, and lets
you play. With --auto it plays every act by itself, checks it, and exits 0, or 1
naming the act that failed.`,
		Example: "  mooring demo\n  mooring demo --auto\n  mooring demo --dir /tmp/shop --listen 127.0.0.1:8420",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Binary, o.Out = binary, cmd.OutOrStdout()
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder to play in (default: a temporary one, removed afterwards)")
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8420", "address of the daemon's page")
	cmd.Flags().BoolVar(&o.Auto, "auto", false, "play and verify every act, then exit")
	return cmd
}
