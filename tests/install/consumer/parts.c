/* SPDX-License-Identifier: MIT */
/* Links with a part of weft and does nothing: the part must be complete in itself. */
int main(void)
{
    return 0;
}
