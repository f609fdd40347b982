// SB_MAC16 of the Lattice iCE40 UltraPlus, as far as Sluice uses it, after the description in Lattice
// FPGA-TN-02007 (DSP Function Usage Guide for iCE40 Devices): one product of 16 x 16 bits past the
// adders, with the registers of both operands, of the four products of 8 x 8 bits and of their
// sum. Any other use ends the simulation.
module SB_MAC16 (
    input CLK, CE,
    input [15:0] C, A, B, D,
    input AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT,
        ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
    output [31:0] O
);
    parameter [0:0] A_REG = 0;
    parameter [0:0] B_REG = 0;
    parameter [0:0] TOP_8x8_MULT_REG = 0;
    parameter [0:0] BOT_8x8_MULT_REG = 0;
    parameter [0:0] PIPELINE_16x16_MULT_REG1 = 0;
    parameter [0:0] PIPELINE_16x16_MULT_REG2 = 0;
    parameter [1:0] TOPOUTPUT_SELECT = 0;
    parameter [1:0] BOTOUTPUT_SELECT = 0;
    parameter [0:0] A_SIGNED = 0;
    parameter [0:0] B_SIGNED = 0;

    initial begin
        if (A_REG !== B_REG || TOP_8x8_MULT_REG !== BOT_8x8_MULT_REG
            || TOP_8x8_MULT_REG !== PIPELINE_16x16_MULT_REG1)
            $fatal(1, "SB_MAC16: the model has no such registers");
        if (TOPOUTPUT_SELECT !== 3 || BOTOUTPUT_SELECT !== 3)
            $fatal(1, "SB_MAC16: the model has no such output");
    end

    reg [15:0] a_taken = 0, b_taken = 0;
    reg [31:0] product_between = 0, product_out = 0;

    wire [15:0] a = A_REG ? a_taken : A, b = B_REG ? b_taken : B;
    wire signed [16:0] a_used = {A_SIGNED & a[15], a};
    wire signed [16:0] b_used = {B_SIGNED & b[15], b};
    wire signed [33:0] product = a_used * b_used;
    wire [31:0] later = PIPELINE_16x16_MULT_REG1 ? product_between : product[31:0];

    always @(posedge CLK) begin
        if ({CE, AHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT} !== 6'b100000)
            $fatal(1, "SB_MAC16: the model has no such input");
        a_taken <= A;
        if (!BHOLD) b_taken <= B;
        product_between <= product[31:0];
        product_out <= later;
    end

    assign O = PIPELINE_16x16_MULT_REG2 ? product_out : later;
endmodule
