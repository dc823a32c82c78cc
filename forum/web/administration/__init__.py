"""Setting up, boards, accounts, invitations and unsent mail, as pages: for administrators."""
