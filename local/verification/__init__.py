"""What only AWS can answer: a throwaway stack in a real account, a list of questions, and a table of the answers.

`make verify-aws` runs it. The tests run the same questions against the local stack, as far as that can answer them.
"""
